"""Libraries that are imported when something of them is first used.

The first picture of the window needs none of them, and together they take as long as Qt.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING


class Late:
    """Stands for a module: every look-up goes to it, and the first one imports it."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> object:
        return getattr(import_module(self._module), name)


if TYPE_CHECKING:
    import av
    import av.codec.codec
    import av.codec.context
    import av.container
    import av.error
    import av.filter
    import av.stream
    import av.video.stream
    import filelock
    import numpy as np
    import PIL
    import psutil
    from av.video import reformatter
    from PIL import ExifTags, Image, ImageCms, ImageOps, JpegImagePlugin, PngImagePlugin
else:
    av, reformatter = Late("av"), Late("av.video.reformatter")
    filelock, np, psutil = Late("filelock"), Late("numpy"), Late("psutil")
    PIL = Late("PIL")
    ExifTags, Image, ImageCms = Late("PIL.ExifTags"), Late("PIL.Image"), Late("PIL.ImageCms")
    ImageOps, JpegImagePlugin = Late("PIL.ImageOps"), Late("PIL.JpegImagePlugin")
    PngImagePlugin = Late("PIL.PngImagePlugin")
