"""Who calls, and what they may do: callers by token or certificate, and the server's own certificate."""
