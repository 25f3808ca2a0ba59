"""Engines: what runs a bundle's transformer on one device."""

from impasto.engine.base import Cancellation, Engine, Provider
from impasto.engine.fake import FakeEngine
from impasto.engine.opening import open_engine
from impasto.engine.runtime import available_providers
from impasto.engine.shapes import bucket_size

__all__ = ["Cancellation", "Engine", "FakeEngine", "Provider", "available_providers", "bucket_size", "open_engine"]
