"""Damaged, strange and missing things: one sentence each, and the program works on."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from magi_desktop.state.jobs import Phase
from tests.desktop.media_files import image_file, video_file
from tests.e2e.conftest import App


def _tiny(app: App) -> None:
    app.short(chunks=1)
    app.workshop.draft.set(width=64, height=64)
    app.generate()
    app.wait_for(Phase.FINISHED)


def _said(app: App) -> str:
    return app.window.notice.text or app.window.reference.notice.text


@pytest.mark.parametrize("what", ["wrong type", "damaged", "truncated", "empty", "one pixel"])
def test_a_file_that_cannot_be_used_is_refused(app: App, tmp_path: Path, what: str) -> None:
    path = tmp_path / ("dot.png" if what == "one pixel" else "clip.mp4")
    if what == "one pixel":
        image_file(path, 1, 1)
    elif what == "wrong type":
        path.write_bytes(b"%PDF-1.7\n" * 100)
    else:
        whole = video_file(path, seconds=1).read_bytes()
        # The index stands at the end: without it nothing can be found.
        cut = {"damaged": b"\0" * 200 + whole[200:300], "truncated": whole[:400], "empty": b""}
        path.write_bytes(cut[what])
    app.window.arrivals.open(path)
    app.qtbot.waitUntil(lambda: _said(app) != "" or app.workshop.draft.reference is not None)
    assert path.name in _said(app)
    assert "Traceback" not in _said(app)
    assert app.workshop.draft.reference is None


def test_what_the_engine_has_refused_is_not_lined_up(app: App) -> None:
    app.short()
    draft, checks = app.workshop.draft, app.window.generation.checks
    draft.set(num_steps=17)
    app.qtbot.waitUntil(lambda: app.workshop.planner.refusal is not None)
    assert "17 steps" in checks.text
    app.generate()
    assert not app.workshop.queue.items
    assert not app.window.notice.text, "one place for one error"
    assert not checks.visibleRegion().isEmpty()
    draft.set(num_steps=4)
    app.generate()
    app.wait_for(Phase.FINISHED)


def test_a_huge_picture_is_used_or_refused_but_not_silently(app: App, tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    Image.new("L", (20_000, 2_000), 128).save(path, compress_level=1)
    app.window.arrivals.open(path)
    app.qtbot.waitUntil(lambda: _said(app) != "" or app.workshop.draft.reference is not None)
    assert app.workshop.draft.reference is not None or "huge.png" in _said(app)


@pytest.mark.usefixtures("lent")
def test_a_damaged_settings_file_is_kept_aside_and_said(tmp_path: Path, qtbot: QtBot) -> None:
    settings = tmp_path / "home" / "config" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"version": 1, "draft": {')
    app = App(tmp_path / "home", qtbot)
    try:
        (kept,) = settings.parent.glob("settings.corrupt-*.json")
        assert kept.read_text(encoding="utf-8") == '{"version": 1, "draft": {'
        assert kept.name in app.window.notice.text
        _tiny(app)
    finally:
        app.close()
    assert settings.is_file()


@pytest.mark.usefixtures("lent")
def test_a_damaged_database_is_kept_aside_and_said(tmp_path: Path, qtbot: QtBot) -> None:
    database = tmp_path / "home" / "data" / "magi.sqlite3"
    database.parent.mkdir(parents=True)
    database.write_bytes(b"no database at all " * 400)
    app = App(tmp_path / "home", qtbot)
    try:
        qtbot.waitUntil(lambda: app.window.notice.text != "")
        (kept,) = database.parent.glob("magi.sqlite3.corrupt-*")
        assert kept.name in app.window.notice.text
        _tiny(app)
        qtbot.waitUntil(lambda: len(app.workshop.library.items) == 1)
    finally:
        app.close()


def test_a_video_deleted_behind_our_back_shows_as_gone(app: App) -> None:
    _tiny(app)
    app.qtbot.waitUntil(lambda: len(app.workshop.library.items) == 1)
    app.videos()[0].unlink()
    app.workshop.library.check_files()
    app.qtbot.waitUntil(lambda: app.workshop.library.items[0].missing)
    panel = app.window.library
    app.window.show_side(panel)
    panel.select(app.workshop.library.items[0].id)
    labels = [action.text() for action in panel.video_actions.menu().actions() if action.text()]
    assert "Remove from the list" in labels
    assert "Play" not in labels
