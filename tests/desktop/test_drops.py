"""What a drop or a paste turns out to be."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QMimeData, QUrl
from PySide6.QtGui import QColor, QImage, QImageWriter
from pytestqt.qtbot import QtBot

from magi_desktop.drops import DropKind, Dropped, can_take, promise, resolve, take
from magi_engine.errors import MagiError, OutputError
from magi_engine.resources import resource_path
from magi_engine.runtime.request.request import GenerationRequest, Mode
from tests.desktop.media_files import image_file, video_file

pytestmark = pytest.mark.usefixtures("qapp")


def _files(*paths: Path) -> QMimeData:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return mime


def _resolved(mime: QMimeData, folder: Path) -> Dropped:
    assert can_take(mime)
    return resolve(take(mime), folder)


def _red() -> QImage:
    image = QImage(20, 20, QImage.Format.Format_RGB32)
    image.fill(QColor("#c02030"))
    return image


def _png(image: QImage) -> QByteArray:
    content = QByteArray()
    buffer = QBuffer(content)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, QByteArray(b"PNG")).write(image)
    return content


def test_files_of_each_kind(tmp_path: Path) -> None:
    request = GenerationRequest(Mode.T2V, "pocket", 64, 64, 24)
    settings = tmp_path / "settings.json"
    settings.write_text(request.to_json(), encoding="utf-8")
    for path, kind in (
        (image_file(tmp_path / "a b ü.png"), DropKind.IMAGE),
        (video_file(tmp_path / "a.mp4", seconds=0.5), DropKind.VIDEO),
        (resource_path("configs", "4.5B_base_config.json"), DropKind.CONFIG),
        (settings, DropKind.REQUEST),
    ):
        assert _resolved(_files(path), tmp_path) == Dropped(kind, path)


def test_a_text_file_is_a_prompt(tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("\ufeffa red circle\n", encoding="utf-8")
    dropped = _resolved(_files(tmp_path / "prompt.txt"), tmp_path)
    assert dropped == Dropped(DropKind.TEXT, text="a red circle")


def test_of_several_files_the_first_usable_one_counts(tmp_path: Path) -> None:
    bad = tmp_path / "notes.png"
    bad.write_text("no picture")
    first, second = image_file(tmp_path / "1.png"), image_file(tmp_path / "2.png")
    dropped = _resolved(_files(bad, first, second), tmp_path)
    assert dropped.path == first
    assert "1.png" in dropped.note


def test_pixels_are_saved_as_new_files(tmp_path: Path) -> None:
    mime = QMimeData()
    mime.setImageData(_red())
    folder = tmp_path / "data" / "pasted"
    saved = [_resolved(mime, folder).path for _ in range(3)]
    assert len(set(saved)) == 3
    for path in saved:
        assert path is not None
        assert path.parent == folder
        assert path.read_bytes().startswith(b"\x89PNG")
        assert QImage(str(path)).pixelColor(5, 5) == QColor("#c02030")


def test_a_picture_dragged_out_of_a_browser(tmp_path: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl("https://example.org/cat.png")])
    mime.setData("image/png", _png(_red()))
    path = _resolved(mime, tmp_path).path
    assert path is not None
    assert QImage(str(path)).pixelColor(5, 5) == QColor("#c02030")


def test_a_picture_inside_its_address(tmp_path: Path) -> None:
    mime = QMimeData()
    content = bytes(_png(_red()).toBase64().data()).decode()
    mime.setUrls([QUrl(f"data:image/png;base64,{content}")])
    path = _resolved(mime, tmp_path).path
    assert path is not None
    assert QImage(str(path)).width() == 20


@pytest.mark.parametrize("as_text", [True, False])
def test_an_address_alone_is_refused(tmp_path: Path, as_text: bool) -> None:
    mime = QMimeData()
    if as_text:
        mime.setText("https://example.org/cat.png")
    else:
        mime.setUrls([QUrl("https://example.org/cat.png")])
    with pytest.raises(MagiError) as caught:
        _resolved(mime, tmp_path)
    assert str(caught.value.hint) == "Save the picture first, then drop the file."


def test_text(tmp_path: Path) -> None:
    mime = QMimeData()
    mime.setText("  a red circle moves left ")
    assert _resolved(mime, tmp_path) == Dropped(DropKind.TEXT, text="a red circle moves left")


def test_an_empty_drop_is_not_taken() -> None:
    assert not can_take(QMimeData())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.json", "{"),
        ("x.json", "[1]"),
        ("x.json", '{"format": "other"}'),
        ("x.png", "no picture"),
        ("x.txt", "  "),
        ("x.pdf", "%PDF-1.4"),
    ],
)
def test_files_that_are_of_no_use(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(MagiError, match=name) as caught:
        _resolved(_files(tmp_path / name), tmp_path)
    assert str(caught.value.hint)


def test_what_has_gone_and_folders(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.json", tmp_path / "gone.png", tmp_path):
        with pytest.raises(MagiError):
            _resolved(_files(path), tmp_path)


def test_broken_picture_bytes(tmp_path: Path) -> None:
    mime = QMimeData()
    mime.setData("image/png", QByteArray(b"broken"))
    with pytest.raises(MagiError):
        _resolved(mime, tmp_path)


def test_a_folder_that_cannot_be_written_to(tmp_path: Path, qtbot: QtBot) -> None:
    (tmp_path / "file").write_text("in the way")
    mime = QMimeData()
    mime.setImageData(_red())
    with pytest.raises(OutputError):
        _resolved(mime, tmp_path / "file" / "pasted")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.PNG", "from this picture"),
        ("a.mp4", "end of this video"),
        ("a.json", "settings"),
        ("a.txt", "words in this file"),
        ("a.xyz", "whether it can be used"),
    ],
)
def test_a_drag_says_what_letting_go_will_do(tmp_path: Path, name: str, said: str) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path / name))])
    assert said in promise(mime)


def test_a_drag_of_words_goes_into_the_prompt() -> None:
    mime = QMimeData()
    mime.setText("a red circle")
    assert "prompt" in promise(mime)


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.srt", "1\n00:00:00,000 --> 00:00:04,000\na ball\n", DropKind.STORYBOARD),
        ("a.csv", "0:00,,a ball\n", DropKind.STORYBOARD),
        ("a.txt", "0:00 a ball\n0:04 cut: a cube\n", DropKind.STORYBOARD),
        ("a.txt", "10 red balls\n3 blue cubes\n", DropKind.TEXT),
        ("a.txt", "0 balls\n", DropKind.TEXT),
    ],
)
def test_storyboards_are_told_from_prompts(
    tmp_path: Path, name: str, text: str, kind: DropKind
) -> None:
    file = tmp_path / name
    file.write_text(text)
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(file))])
    assert _resolved(mime, tmp_path).kind is kind
