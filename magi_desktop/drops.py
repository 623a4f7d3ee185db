"""What was dropped on the window or pasted into it, and what it can be used for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from PySide6.QtCore import QByteArray, QCoreApplication, QMimeData, QUrl
from PySide6.QtGui import QImage

from magi_engine.errors import InvalidRequestError, MagiError, MediaReadError, OutputError
from magi_engine.json_text import read_json
from magi_engine.media.info import MediaKind, probe
from magi_engine.media.targets import free_name
from magi_engine.runtime.request.request import FORMAT
from magi_engine.runtime.request.storyboard import SUFFIXES, read_storyboard
from magi_engine.text_file import read_text

translate = QCoreApplication.translate

IMAGE_SUFFIXES = ("png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff", "avif", "heic")
VIDEO_SUFFIXES = ("mp4", "mov", "m4v", "mkv", "webm", "avi", "gif", "webp", "mpg", "mpeg", "ts")

_MAX_TEXT_BYTES = 100_000


class DropKind(Enum):
    """What a drop turned out to be."""

    IMAGE = "image"
    VIDEO = "video"
    CONFIG = "config"
    """An official configuration."""
    REQUEST = "request"
    """Settings of this program, as JSON."""
    TEXT = "text"
    STORYBOARD = "storyboard"
    """Prompts with times."""


@dataclass(frozen=True)
class Dropped:
    """Something usable."""

    kind: DropKind
    path: Path | None = None
    """The file; None for text."""
    text: str = ""
    note: str = ""
    """What the user should be told, such as that only the first of several files counts."""


@dataclass(frozen=True)
class Incoming:
    """What a drop holds, taken out of Qt's data without opening a file."""

    paths: tuple[Path, ...] = ()
    image: QImage | None = None
    image_bytes: bytes = b""
    """An image file's content, where the source did not give pixels."""
    text: str = ""
    remote: bool = False
    """Whether there was nothing but the address of something on the internet."""


def can_take(mime: QMimeData) -> bool:
    """Whether to let something be dropped at all; quick, for the drag's feedback."""
    return (
        mime.hasUrls()
        or mime.hasImage()
        or mime.hasText()
        or any(name.startswith("image/") for name in mime.formats())
    )


def promise(mime: QMimeData) -> str:
    """What a drop will do, as far as that can be told without opening a file."""
    urls = mime.urls() if mime.hasUrls() else []
    paths = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
    suffix = paths[0].suffix.lower().removeprefix(".") if paths else ""
    if suffix in IMAGE_SUFFIXES or (not paths and mime.hasImage()):
        return translate("Drops", "Start a video from this picture")
    if suffix in VIDEO_SUFFIXES:
        return translate("Drops", "Go on from the end of this video")
    if suffix == "json":
        return translate("Drops", "Use the settings in this file")
    if suffix in ("srt", "csv"):
        return translate("Drops", "Use the prompts of this storyboard")
    if suffix == "txt":  # a storyboard, or words for the prompt
        return translate("Drops", "Use the words in this file")
    if not urls and mime.hasText():
        return translate("Drops", "Add this text to the prompt")
    return translate("Drops", "Drop it to see whether it can be used")


def take(mime: QMimeData) -> Incoming:
    """Take a drop's or the clipboard's content; on the UI thread, since Qt's data live there.

    Files count before pixels, pixels before text.
    """
    urls = mime.urls() if mime.hasUrls() else []
    paths = tuple(Path(url.toLocalFile()) for url in urls if url.isLocalFile())
    if paths:
        return Incoming(paths=paths)
    if mime.hasImage():
        image = mime.imageData()
        # Another program may promise pixels and then be gone: Qt gives no image then.
        if isinstance(image, QImage) and not image.isNull():
            return Incoming(image=image)
    content = _image_bytes(mime, urls)
    if content:
        return Incoming(image_bytes=content)
    text = mime.text().strip() if mime.hasText() else ""
    if any(_is_remote(url) for url in urls) or (len(text.split()) == 1 and _is_remote(QUrl(text))):
        return Incoming(remote=True)
    return Incoming(text=text)


def resolve(incoming: Incoming, pasted_folder: Path) -> Dropped:
    """Find out what a drop can be used for. Opens and writes files: for background threads.

    Args:
        pasted_folder: where pictures without a file of their own are saved; made if needed.

    Raises:
        MagiError: nothing of it can be used; of several files, what is wrong with the first.
    """
    if incoming.paths:
        return _first_usable(incoming.paths)
    if incoming.image is not None:
        return Dropped(DropKind.IMAGE, save_picture(incoming.image, pasted_folder))
    if incoming.image_bytes:
        image = QImage.fromData(QByteArray(incoming.image_bytes))
        if image.isNull():
            raise _save_first()
        return Dropped(DropKind.IMAGE, save_picture(image, pasted_folder))
    if incoming.remote:
        raise _save_first()
    if incoming.text:
        return Dropped(DropKind.TEXT, text=incoming.text)
    raise InvalidRequestError(
        "There is nothing in it that can be used.",
        "Drop an image, a video, a settings file or text.",
    )


def save_picture(image: QImage, folder: Path) -> Path:
    """Save a pasted picture as a new PNG in ``folder``.

    Raises:
        OutputError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_saved(folder) from error
    path = free_name(folder / time.strftime("Pasted %Y-%m-%d %H.%M.%S.png"))
    if not image.save(str(path)):
        raise _not_saved(folder)
    return path


def _first_usable(paths: tuple[Path, ...]) -> Dropped:
    first_error: MagiError | None = None
    for path in paths:
        try:
            kind, text = _kind_of(path)
        except MagiError as error:
            first_error = first_error or error
            continue
        note = ""
        if len(paths) > 1:
            note = translate("Drops", "Several files were dropped. This one is used: {}").format(
                path.name
            )
        if kind is DropKind.TEXT:
            return Dropped(kind, text=text, note=note)
        return Dropped(kind, path, note=note)
    assert first_error is not None
    raise first_error


def _kind_of(path: Path) -> tuple[DropKind, str]:
    """What a file is for; of a text file also its text."""
    suffix = path.suffix.lower()
    if suffix == ".json":
        return _kind_of_json(path), ""
    if suffix in SUFFIXES and _is_storyboard(path):
        return DropKind.STORYBOARD, ""
    if suffix == ".txt":
        try:
            text = read_text(path, _MAX_TEXT_BYTES, errors="replace").strip()
        except OSError as error:
            raise _unreadable(path) from error
        if not text:
            raise MediaReadError("{name} is empty.", "Choose another file.", name=path.name)
        return DropKind.TEXT, text
    image = probe(path).kind is MediaKind.IMAGE
    return (DropKind.IMAGE if image else DropKind.VIDEO), ""


def _is_storyboard(path: Path) -> bool:
    """Whether a file is one; of texts only those that say so at least twice: a prompt may begin
    with a number."""
    if path.suffix.lower() != ".txt":
        return bool(read_storyboard(path))
    try:
        shots = read_storyboard(path)
    except InvalidRequestError:
        return False
    return len(shots) > 1 and shots[0].start_s == 0


def _kind_of_json(path: Path) -> DropKind:
    try:
        data = read_json(path)
    except OSError as error:
        raise _unreadable(path) from error
    except ValueError as error:
        raise _no_settings(path) from error
    if isinstance(data, dict):
        if data.get("format") == FORMAT:
            return DropKind.REQUEST
        if {"model_config", "runtime_config"} <= data.keys():
            return DropKind.CONFIG
    raise _no_settings(path)


def _unreadable(path: Path) -> MediaReadError:
    return MediaReadError(
        "{name} cannot be read.",
        "Check that it is still there and that you may open it.",
        name=path.name,
    )


def _image_bytes(mime: QMimeData, urls: list[QUrl]) -> bytes:
    for name in mime.formats():
        if name.startswith("image/") and mime.data(name).size():
            return bytes(mime.data(name).data())
    for url in urls:
        if url.scheme() == "data":
            return _bytes_of_data_url(url.toString())
    return b""


def _bytes_of_data_url(address: str) -> bytes:
    """The content of ``data:image/...;base64,...``; empty for other kinds."""
    head, _, content = address.partition(",")
    if not head.startswith("data:image/") or not head.endswith(";base64"):
        return b""
    return bytes(QByteArray.fromBase64(QByteArray(content.encode())).data())


def _is_remote(url: QUrl) -> bool:
    return url.scheme() in ("http", "https") and bool(url.host())


def _save_first() -> MagiError:
    return InvalidRequestError(
        "Only the address of the picture was dropped, not the picture.",
        "Save the picture first, then drop the file.",
    )


def _no_settings(path: Path) -> MagiError:
    return InvalidRequestError(
        "{name} holds no settings this program knows.",
        "Choose a configuration of MAGI-1 or a file this program saved.",
        name=path.name,
    )


def _not_saved(folder: Path) -> MagiError:
    return OutputError(
        "The picture could not be saved in {folder}.",
        "Check that the folder may be written to and that there is room.",
        folder=folder,
    )
