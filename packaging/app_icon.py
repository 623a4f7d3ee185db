"""The program's icon in the sizes systems want, drawn from resources/icons/app.svg."""

from __future__ import annotations

import io
from pathlib import Path

import dev
from PIL import Image
from PySide6.QtCore import QBuffer, QSize
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

DRAWING = dev.ROOT / "resources" / "icons" / "app.svg"
WINDOWS_SIZES = (16, 20, 24, 32, 40, 48, 64, 96, 256)
"""What Windows shows at 100 to 200 %, in lists, on the taskbar and as large icons."""


def drawn(size: int) -> QImage:
    """The icon, ``size`` pixels wide and high, on nothing."""
    image = QImage(QSize(size, size), QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(0)
    painter = QPainter(image)
    QSvgRenderer(str(DRAWING)).render(painter)
    painter.end()
    return image


def write_ico(target: Path) -> None:
    """A Windows icon with every size drawn on its own."""
    images = [_as_pillow(drawn(size)) for size in WINDOWS_SIZES]
    images[-1].save(
        target,
        format="ICO",
        sizes=[image.size for image in images],
        append_images=images[:-1],
        bitmap_format="bmp",
    )


def _as_pillow(image: QImage) -> Image.Image:
    buffer = QBuffer()
    buffer.open(QBuffer.OpenModeFlag.ReadWrite)
    if not image.save(buffer, "PNG"):  # type: ignore[call-overload]
        raise OSError("an icon cannot be drawn")
    return Image.open(io.BytesIO(buffer.data().data()))
