"""The program's icon in the sizes and formats that systems want, drawn from one file."""

from __future__ import annotations

import io
from pathlib import Path

import dev
from PIL import Image
from PySide6.QtCore import QBuffer, QSize
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

DRAWING = dev.ROOT / "resources" / "icons" / "app.svg"
LINUX_SIZES = (16, 22, 24, 32, 48, 64, 128, 256, 512)
_WINDOWS_SIZES = (16, 20, 24, 32, 40, 48, 64, 256)


def draw(size: int) -> QImage:
    """The icon, ``size`` pixels wide and high, on nothing."""
    image = QImage(QSize(size, size), QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(0)
    painter = QPainter(image)
    QSvgRenderer(str(DRAWING)).render(painter)
    painter.end()
    return image


def write_png(target: Path, size: int) -> None:
    """Write one size; raises OSError."""
    if not draw(size).save(str(target)):
        raise OSError(f"{target} cannot be written")


def write_ico(target: Path) -> None:
    """Write all sizes that Windows uses into one file."""
    pictures = []
    for size in _WINDOWS_SIZES:
        buffer = QBuffer()
        buffer.open(QBuffer.OpenModeFlag.WriteOnly)
        draw(size).save(buffer, "PNG")  # pyright: ignore[reportCallIssue, reportArgumentType]
        pictures.append(Image.open(io.BytesIO(bytes(buffer.data().data()))))
    sizes = [picture.size for picture in pictures]
    pictures[-1].save(target, format="ICO", sizes=sizes, append_images=pictures[:-1])
