"""The server: bundles in, the gRPC service out. Never imports torch."""
