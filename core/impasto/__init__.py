"""Impasto: neural style transfer as a service. Importing this package never imports torch."""

__version__ = "0.1.0"
