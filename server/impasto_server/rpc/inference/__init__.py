"""The Open Inference Protocol: every bundle as a model, for clients of KServe and Triton."""
