"""Servers to compare Impasto's with, each in processes of its own, and what puts load on them all alike."""
