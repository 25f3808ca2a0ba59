"""What `impasto-train` can do, one module a command.

Each has `NAME` and `HELP` for the command line, `add_arguments`, which says what the command takes, and `run`.
"""
