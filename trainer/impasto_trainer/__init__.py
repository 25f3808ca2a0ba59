"""Photos and paintings in, a checkpoint out."""

from impasto import programs


def program() -> int:
    """The program `impasto-train`."""
    return programs.run("impasto_trainer.main", extra="train")
