"""What of a photo's own metadata a result can carry."""

from __future__ import annotations

from impasto.v1 import stylizer_pb2 as pb

POLICIES = {
    "none": pb.METADATA_POLICY_NONE,
    "without_location": pb.METADATA_POLICY_WITHOUT_LOCATION,
    "all": pb.METADATA_POLICY_ALL,
}
"""Name -> the proto's number."""
