"""The commands of `impasto`: one module each, which adds its options to a parser and runs it."""
