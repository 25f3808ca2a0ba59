"""Engines: what runs a bundle's transformer on one device."""

from impasto.engine.base import Cancellation, Engine, Provider
from impasto.engine.fake import FakeEngine
from impasto.engine.opening import open_engine
from impasto.engine.runtime import available_providers, cuda_is_here
from impasto.engine.shapes import bucket_size

__all__ = [
    "Cancellation",
    "Engine",
    "FakeEngine",
    "Provider",
    "available_providers",
    "bucket_size",
    "cuda_is_here",
    "open_engine",
]
