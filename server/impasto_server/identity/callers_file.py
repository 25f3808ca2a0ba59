"""The callers file: a TOML table for each caller.

    [[caller]]
    name = "web"
    roles = ["stylize", "jobs"]
    token_sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

What is wrong in one is told without its values: a token that was pasted in the wrong place must not reach the log.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, ValidationError, field_validator, model_validator

from impasto_server.errors import CallersUnreadable
from impasto_server.identity.identities import CallerLimits, Identity
from impasto_server.identity.roles import Role

_NAME = re.compile(r"[A-Za-z0-9._@:/+-]{1,128}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Callers:
    """Everyone who may call.

    Attributes:
        by_token: callers by the SHA-256 of each of their tokens, in hex.
        by_certificate: callers by the name in their certificate.
    """

    by_token: Mapping[str, Identity]
    by_certificate: Mapping[str, Identity]

    @property
    def names(self) -> list[str]:
        return sorted({caller.name for caller in (*self.by_token.values(), *self.by_certificate.values())})


def read_callers(file: Path) -> Callers:
    """Read a callers file.

    Raises:
        CallersUnreadable: it is not there, or holds something that is not allowed, or nobody.
    """
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
        callers = _File.model_validate(tables).caller
    except OSError as error:
        raise CallersUnreadable(file, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CallersUnreadable(file, "is no UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise CallersUnreadable(file, f"is no TOML: {error}") from None
    except ValidationError as error:
        raise CallersUnreadable(file, "; ".join(_explained(problem) for problem in _problems(error))) from None
    return _indexed(file, callers)


def caller_name(text: str) -> str:
    """Return it, or raise ValueError where it is no name for a caller."""
    if not _NAME.fullmatch(text):
        raise ValueError("should be 1 to 128 letters, digits or any of . _ @ : / + -")
    return text


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


class _Caller(BaseModel, extra="forbid"):
    """One table."""

    name: str
    roles: Annotated[list[Role], Field(min_length=1)]
    token_sha256: Annotated[list[str], BeforeValidator(_as_list)] = []
    certificate: Annotated[str, Field(min_length=1)] | None = None
    expires: AwareDatetime | None = None
    requests_per_second: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    max_concurrent: Annotated[int, Field(ge=1)] | None = None
    max_jobs: Annotated[int, Field(ge=1)] | None = None

    @field_validator("name")
    @classmethod
    def _of_plain_characters(cls, value: str) -> str:
        return caller_name(value)

    @field_validator("token_sha256")
    @classmethod
    def _all_digests(cls, value: list[str]) -> list[str]:
        digests = [digest.lower() for digest in value]
        if not all(_DIGEST.fullmatch(digest) for digest in digests):
            raise ValueError("should be a token's SHA-256, 64 digits in hex, never the token; or a list of them")
        return digests

    @model_validator(mode="after")
    def _can_be_recognized(self) -> Self:
        if not self.token_sha256 and self.certificate is None:
            raise ValueError("has neither token_sha256 nor certificate; give one, or both")
        return self

    def identity(self) -> Identity:
        limits = CallerLimits(self.requests_per_second, self.max_concurrent, self.max_jobs)
        return Identity(self.name, frozenset(self.roles), expires=self.expires, limits=limits)


class _File(BaseModel, extra="forbid"):
    caller: Annotated[list[_Caller], Field(min_length=1)]


def _indexed(file: Path, callers: Iterable[_Caller]) -> Callers:
    names: set[str] = set()
    by_token: dict[str, Identity] = {}
    by_certificate: dict[str, Identity] = {}
    for caller in callers:
        identity = caller.identity()
        if caller.name in names:
            raise CallersUnreadable(file, f"has two callers of the name {caller.name}")
        names.add(caller.name)
        keys = [(by_token, digest, "token_sha256") for digest in caller.token_sha256]
        if caller.certificate is not None:
            keys.append((by_certificate, caller.certificate, "certificate"))
        for index, key, what in keys:
            if index.setdefault(key, identity) is not identity:
                raise CallersUnreadable(file, f"{caller.name} and {index[key].name} have the same {what}")
    return Callers(by_token, by_certificate)


def _problems(error: ValidationError) -> list[Any]:
    return list(error.errors(include_url=False, include_context=False, include_input=False))


def _explained(problem: Any) -> str:
    """Say what is wrong and where: `caller 2, roles: should be ...`."""
    where = [str(part + 1) if isinstance(part, int) else part for part in problem["loc"]]
    place = ", ".join(filter(None, (" ".join(where[:2]), " ".join(where[2:]))))
    if problem["type"] == "extra_forbidden":
        known = ", ".join(_Caller.model_fields if len(where) > 1 else _File.model_fields)
        return f"{place}: there is no such key; there are {known}"
    if problem["type"] == "missing":
        return f"{place} is missing"
    return f"{place}: {problem['msg'].removeprefix('Value error, ').removeprefix('Input ')}"
