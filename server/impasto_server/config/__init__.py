"""Configuration: read once at start, each group of options in a module of its own."""

from impasto_server.config.config import PROGRAM, Config
from impasto_server.config.loading import ConfigError, load, load_with_origins
from impasto_server.config.values import Address

__all__ = ["PROGRAM", "Address", "Config", "ConfigError", "load", "load_with_origins"]
