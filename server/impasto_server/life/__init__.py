"""What keeps a server from living on when it is of no use: watchdogs, and an end that comes whatever hangs."""
