"""Engines: what runs a bundle's transformer on one device."""

from impasto.engine.base import Engine, Provider
from impasto.engine.fake import FakeEngine
from impasto.engine.onnx import OnnxEngine, available_providers, open_engine

__all__ = ["Engine", "FakeEngine", "OnnxEngine", "Provider", "available_providers", "open_engine"]
