"""MAGI-1 video generation as a streaming engine. Knows nothing of any user interface."""

__version__ = "0.1.0"
