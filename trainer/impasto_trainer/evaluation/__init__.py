"""How well a bundle paints, in figures and on sheets to look at: the parts of `impasto-train evaluate`."""
