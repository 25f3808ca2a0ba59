"""What speaks gRPC: decode, call, encode. Nothing of a painting's or a job's making."""
