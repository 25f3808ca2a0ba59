"""The photos of `impasto stylize`: which they are, where pictures go, how they are painted, what is told of it."""
