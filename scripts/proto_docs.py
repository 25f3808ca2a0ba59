"""Write docs/api.md from the protos, whose comments say what every method, message, field and value does.

The reasons of errors, which are a part of the API that no proto holds, come from the server's table of them.

python -m scripts.proto_docs
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from google.api import field_behavior_pb2, resource_pb2
from google.longrunning import operations_proto_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)
from grpc_tools import protoc

from impasto_server.rpc.statuses import ANSWERS, DOMAIN
from scripts.protos import ROOT, lay_out

PAGE = ROOT / "docs" / "api.md"

_PROTOS = ("impasto/v1/stylizer.proto", "impasto/v1/admin.proto")
_PACKAGE = ".impasto.v1."
_WELL_KNOWN = Path(protoc.__file__).parent / "_proto"
_HEAD = """# The API

<!-- Made by scripts/proto_docs.py from the comments in proto/; not to be edited. -->

The package `impasto.v1`: [stylizer.proto](../proto/impasto/v1/stylizer.proto) and
[admin.proto](../proto/impasto/v1/admin.proto). [clients.md](clients.md) tells how to call it from each language,
[proto/README.md](../proto/README.md) how to generate a client of your own and what may change, and
[serving.md](serving.md#errors) lists every error with its reason and details. The port that serves Stylizer also serves
`google.longrunning.Operations` (the jobs that [CreateStylization](#createstylization) makes),
`grpc.health.v1.Health`, server reflection, and the [Open Inference Protocol](open-inference.md).

In the tables of fields:

| | |
|---|---|
| required | the call is INVALID_ARGUMENT without it |
| optional | it may be left out |
| output | the server sets it, and ignores what a caller sets |
| identifier | the resource's name |
| one of *x* | at most one of the fields of *x* is set |
| presence | *yes* where a field that was left out can be told from one that is zero or empty; else *no* or *a list* |
"""
_ERRORS = f"""## Errors

An error's `ErrorInfo` has the domain `{DOMAIN}` and one of these reasons, which a program may rely on, as on the status
code. [serving.md](serving.md#errors) tells what else each carries, such as the field that is wrong or when to retry.
A job that fails has one of these, or `WORKER_LOST`, `OPTIMIZATION_FAILED` or `JOB_UNREADABLE` (FAILED_PRECONDITION), or
`JOB_FAILED` (INTERNAL); `INTERNAL` is the server's own fault. What gRPC itself refuses has no reason.
"""

_BEHAVIOURS = {
    field_behavior_pb2.REQUIRED: "required",
    field_behavior_pb2.OPTIONAL: "optional",
    field_behavior_pb2.OUTPUT_ONLY: "output",
    field_behavior_pb2.IDENTIFIER: "identifier",
}

# The numbers of the fields by which SourceCodeInfo leads to an element (descriptor.proto).
_FILE_MESSAGE, _FILE_ENUM, _FILE_SERVICE = 4, 5, 6
_MESSAGE_FIELD, _MESSAGE_NESTED, _MESSAGE_ENUM = 2, 3, 4
_SERVICE_METHOD, _ENUM_VALUE = 2, 2

_COMPOUND = re.compile(r"\b(?:[A-Z][a-z]+){2,}\b")

_Path = tuple[int, ...]
_Type = DescriptorProto | EnumDescriptorProto


def page() -> str:
    """Return the page: each file's services, messages and enums in its order, then the reasons of errors."""
    protos = _compiled()
    names = {name for proto in protos for name in _names(proto)}
    files = [_File(proto, names) for proto in protos]
    contents = [line for file in files for line in file.contents()]
    sections = [section for file in files for section in file.sections()]
    return "\n".join((_HEAD, *contents, "- [Errors](#errors)", "", *sections, _errors()))


def _compiled() -> list[FileDescriptorProto]:
    """Return our files as protoc reads them, with their comments."""
    with TemporaryDirectory() as folder:
        lay_out(Path(folder))
        out = Path(folder) / "api.binpb"
        arguments = [f"-I{folder}", f"-I{_WELL_KNOWN}", "--include_source_info", f"--descriptor_set_out={out}"]
        if status := protoc.main(["protoc", *arguments, *_PROTOS]):
            raise RuntimeError(f"protoc ended with status {status}")
        return list(FileDescriptorSet.FromString(out.read_bytes()).file)


def _names(proto: FileDescriptorProto) -> Iterator[str]:
    """Yield the names of a file's methods and messages that can be nothing else in a comment, as `Style` could."""
    names = [message.name for message in proto.message_type]
    names += [method.name for service in proto.service for method in service.method]
    return (name for name in names if _COMPOUND.fullmatch(name))


class _File:
    """What the page says of one file.

    Attributes:
        names: what becomes a link where a comment has it.
    """

    def __init__(self, proto: FileDescriptorProto, names: set[str]) -> None:
        self._proto = proto
        self._names = names
        self._comments = {tuple(at.path): at.leading_comments for at in proto.source_code_info.location}

    def contents(self) -> Iterator[str]:
        for service in self._proto.service:
            methods = ", ".join(_anchor(method.name) for method in service.method)
            yield f"- {_anchor(service.name)}: {methods}"
        names = (name for name, _, _ in self._types())
        yield f"- Its messages and enums: {', '.join(map(_anchor, names))}"

    def sections(self) -> Iterator[str]:
        for number, service in enumerate(self._proto.service):
            yield from self._service(service, (_FILE_SERVICE, number))
        yield f"## Messages and enums of {' and '.join(service.name for service in self._proto.service)}\n"
        for name, element, at in self._types():
            table = self._message(element, at) if isinstance(element, DescriptorProto) else self._enum(element, at)
            yield f"### {name}\n\n{self._comment(at)}\n{table}"

    def _comment(self, at: _Path) -> str:
        """Return an element's comment, its paragraphs apart."""
        lines = (line.strip() for line in self._comments.get(at, "").strip().split("\n"))
        text = "\n\n".join(" ".join(part.split("\n")) for part in "\n".join(lines).split("\n\n"))
        return _COMPOUND.sub(lambda found: _anchor(found[0]) if found[0] in self._names else found[0], text)

    def _cell(self, at: _Path) -> str:
        return self._comment(at).replace("|", "\\|").replace("\n\n", "<br>")

    def _service(self, service: ServiceDescriptorProto, at: _Path) -> Iterator[str]:
        yield f"## {service.name}\n\n`{self._proto.package}.{service.name}`\n\n{self._comment(at)}\n"
        for number, method in enumerate(service.method):
            yield f"### {method.name}\n\n{_signature(method)}\n\n{self._comment((*at, _SERVICE_METHOD, number))}\n"

    def _types(self) -> Iterator[tuple[str, _Type, _Path]]:
        """Yield each message, what is nested in it, and each enum, with name and path."""
        for number, message in enumerate(self._proto.message_type):
            yield from _with_nested(message.name, message, (_FILE_MESSAGE, number))
        for number, enum in enumerate(self._proto.enum_type):
            yield enum.name, enum, (_FILE_ENUM, number)

    def _message(self, message: DescriptorProto, at: _Path) -> str:
        resource = message.options.Extensions[resource_pb2.resource]
        pattern = f"\nA resource: `{resource.pattern[0]}`.\n" if resource.pattern else ""
        rows = (
            _row(message, field, self._cell((*at, _MESSAGE_FIELD, number)))
            for number, field in enumerate(message.field)
        )
        return pattern + _table("field | no. | type | behaviour | presence | meaning", rows)

    def _enum(self, enum: EnumDescriptorProto, at: _Path) -> str:
        rows = (
            f"`{value.name}` | {value.number} | {self._cell((*at, _ENUM_VALUE, number))}"
            for number, value in enumerate(enum.value)
        )
        return _table("value | no. | meaning", rows)


def _with_nested(name: str, message: DescriptorProto, at: _Path) -> Iterator[tuple[str, _Type, _Path]]:
    yield name, message, at
    for number, enum in enumerate(message.enum_type):
        yield f"{name}.{enum.name}", enum, (*at, _MESSAGE_ENUM, number)
    for number, nested in enumerate(message.nested_type):
        yield from _with_nested(f"{name}.{nested.name}", nested, (*at, _MESSAGE_NESTED, number))


def _table(head: str, rows: Iterator[str]) -> str:
    """Return a table, or nothing where there are no rows."""
    lines = [f"| {row} |" for row in rows]
    rule = "|---" * (head.count("|") + 1) + "|"
    return "\n".join(("", f"| {head} |", rule, *lines, "")) if lines else ""


def _errors() -> str:
    rows = (f"`{answer.reason}` | {answer.code.name} | {_first(kind)}" for kind, answer in ANSWERS.items())
    return _ERRORS + _table("reason | status | when", rows)


def _first(kind: type) -> str:
    """Return the first paragraph of a class's docstring, on one line."""
    return " ".join((kind.__doc__ or "").split("\n\n")[0].split())


def _signature(method: MethodDescriptorProto) -> str:
    """Return what a method takes and returns, as a sentence."""
    takes = f"{'a stream of ' if method.client_streaming else ''}{_type(method.input_type)}"
    returns = f"{'a stream of ' if method.server_streaming else ''}{_type(method.output_type)}"
    operation = method.options.Extensions[operations_proto_pb2.operation_info]
    becomes = f", of which comes a {_anchor(operation.response_type)}" if operation.response_type else ""
    return f"Takes {takes}, returns {returns}{becomes}."


def _row(message: DescriptorProto, field: FieldDescriptorProto, meaning: str) -> str:
    behaviours = [_BEHAVIOURS[number] for number in field.options.Extensions[field_behavior_pb2.field_behavior]]
    if _is_in_choice(field):
        behaviours.append(f"one of *{message.oneof_decl[field.oneof_index].name}*")
    kind = f"{'list of ' if field.label == field.LABEL_REPEATED else ''}{_field_type(field)}"
    return f"`{field.name}` | {field.number} | {kind} | {', '.join(behaviours)} | {_presence(field)} | {meaning}"


def _is_in_choice(field: FieldDescriptorProto) -> bool:
    return field.HasField("oneof_index") and not field.proto3_optional


def _presence(field: FieldDescriptorProto) -> str:
    if field.label == field.LABEL_REPEATED:
        return "a list"
    return "yes" if field.HasField("oneof_index") or field.type == field.TYPE_MESSAGE else "no"


def _field_type(field: FieldDescriptorProto) -> str:
    return _type(field.type_name) or FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()


def _type(full: str) -> str:
    """Return a type's name, as a link where the page describes it."""
    if full.startswith(_PACKAGE):
        return _anchor(full.removeprefix(_PACKAGE))
    return f"`{full.removeprefix('.')}`" if full else ""


def _anchor(name: str) -> str:
    """Return a link to a heading of the page, as GitHub names it."""
    return f"[{name}](#{name.lower().replace('.', '')})"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(__doc__)
    PAGE.write_text(page(), encoding="utf-8")
