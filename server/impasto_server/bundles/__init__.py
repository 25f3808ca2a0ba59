"""The bundles that are served: what is on the shelf, and how it gets there."""
