"""What `impasto doctor` looks at: the server, what is installed here, and what of this machine a call depends on."""
