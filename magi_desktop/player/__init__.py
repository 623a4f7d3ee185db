"""The live player: the picture, its controls, and the strip of chunks under it."""
