"""Photos and paintings in, a checkpoint out."""
