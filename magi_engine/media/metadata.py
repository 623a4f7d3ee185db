"""Reading the request back out of a file the program wrote."""

from __future__ import annotations

import os
from pathlib import Path

from magi_engine.json_text import parse_json
from magi_engine.late import Image
from magi_engine.media._files import check_file, comment_of, open_container
from magi_engine.media.png_frames import FRAME_NAME, METADATA_KEY

_DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"


def read_metadata(path: str | Path) -> str | None:
    """The JSON object embedded in a video, image or folder of PNG frames.

    Comments that are not a JSON object, as other programs write them, count as none.

    Raises:
        MediaReadError: the file is missing or no media file.
    """
    path = Path(path)
    if os.path.lexists(first := path / FRAME_NAME.format(0)):
        path = first
    check_file(path)
    try:
        with Image.open(path) as image:
            return _json_object(_image_comment(image))
    except Image.DecompressionBombError:
        return None
    except (OSError, ValueError, SyntaxError):
        return _json_object(_container_comment(path))


def _image_comment(image: Image.Image) -> object:
    if image.format == "WEBP":
        return _xmp_description(image.info.get("xmp"))
    if image.format == "GIF":
        return image.info.get("comment")
    return image.info.get(METADATA_KEY)


def _container_comment(path: Path) -> str | None:
    with open_container(path) as container:
        return comment_of(container)


def _xmp_description(packet: bytes | None) -> str | None:
    if packet is None:
        return None
    from xml.etree import ElementTree

    try:
        return ElementTree.fromstring(packet).findtext(f".//{_DESCRIPTION}")
    except ElementTree.ParseError:
        return None


def _json_object(comment: object) -> str | None:
    text = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else comment
    if not isinstance(text, str):
        return None
    try:
        return text if isinstance(parse_json(text), dict) else None
    except ValueError:
        return None
