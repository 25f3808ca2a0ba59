"""Programs around clients of others, each to be run in a process of its own, with a server's address."""
