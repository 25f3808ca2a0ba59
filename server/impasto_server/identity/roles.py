"""What callers may do, and which method needs what. This table is the only one."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Role(StrEnum):
    """What a caller may do."""

    STYLIZE = "stylize"
    JOBS = "jobs"
    ADMIN = "admin"


# By `/package.Service/Method` or by `package.Service`; None is open to everyone, whoever they are. A call of Stylize
# that makes a job, as one with style_images does, needs JOBS as well: that is asked for where the job is made.
_NEEDS: Mapping[str, Role | None] = {
    "/impasto.v1.Stylizer/Stylize": Role.STYLIZE,
    "/impasto.v1.Stylizer/StylizeStream": Role.STYLIZE,
    "/impasto.v1.Stylizer/ListStyles": Role.STYLIZE,
    "/impasto.v1.Stylizer/GetStyle": Role.STYLIZE,
    "/impasto.v1.Stylizer/CreateStylization": Role.JOBS,
    "/impasto.v1.Stylizer/WatchStylization": Role.JOBS,
    "/impasto.v1.Stylizer/ReadStylization": Role.JOBS,
    "google.longrunning.Operations": Role.JOBS,
    "impasto.v1.Admin": Role.ADMIN,
    "inference.GRPCInferenceService": Role.STYLIZE,
    "/inference.GRPCInferenceService/ServerLive": None,
    "/inference.GRPCInferenceService/ServerReady": None,
    "/inference.GRPCInferenceService/ServerMetadata": None,
    "/inference.GRPCInferenceService/RepositoryModelLoad": Role.ADMIN,
    "/inference.GRPCInferenceService/RepositoryModelUnload": Role.ADMIN,
    "grpc.health.v1.Health": None,
    "grpc.reflection.v1alpha.ServerReflection": None,
}


def needed_role(method: str) -> Role | None:
    """Return the role that a method needs; None where it needs none.

    One that the table does not know needs ADMIN, so that a method which was forgotten here is open to few.

    Args:
        method: `/package.Service/Method`.
    """
    if method in _NEEDS:
        return _NEEDS[method]
    return _NEEDS.get(method[1:].rpartition("/")[0], Role.ADMIN)
