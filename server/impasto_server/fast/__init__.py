"""The fast way: one photo from its file to its painting, through admission, codec, queue and engine."""
