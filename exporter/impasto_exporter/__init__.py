"""A checkpoint in, a verified bundle out."""
