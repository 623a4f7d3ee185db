"""The library: what comes in, what is found again, what goes to the trash and back."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from magi_desktop.state.library import Library
from magi_desktop.state.store import Store
from magi_engine.errors import MagiError
from magi_engine.media.export import export_video
from tests.desktop.state.conftest import MakeStore
from tests.desktop.state.helpers import request, settle
from tests.desktop.state.videos import make_video

MakeLibrary = Callable[[], Library]


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    return folder


@pytest.fixture
def make_library(make_store: MakeStore, tmp_path: Path, qtbot: QtBot) -> Iterator[MakeLibrary]:
    """The library as the next start of the program finds it."""
    made: list[Library] = []

    def make() -> Library:
        for library in made:
            library.close()
        store = make_store()
        library = Library(store, tmp_path / "thumbnails", store)
        made.append(library)
        qtbot.waitUntil(lambda: library.loaded)
        return library

    yield make
    for library in made:
        library.close()


@pytest.fixture
def library(make_library: MakeLibrary) -> Library:
    return make_library()


@pytest.mark.skipif(sys.platform != "linux", reason="names are UTF-8 or UTF-16 elsewhere")
def test_a_name_that_is_not_utf_8_is_kept(make_library: MakeLibrary, qtbot: QtBot, videos: Path):
    path = videos / os.fsdecode(b"n\xff.mp4")
    make_video(path)
    make_library().rescan(videos)
    library = make_library()
    library.rescan(videos)
    qtbot.waitUntil(lambda: [item.path for item in library.items] == [path])
    again = make_library()
    assert [item.path for item in again.items] == [path]


def names(library: Library) -> set[str]:
    return {item.path.name for item in library.items}


def add(library: Library, qtbot: QtBot, path: Path, prompt: str = "a red circle") -> str:
    """Makes a video and takes it in; returns its id."""
    library.add(path, make_video(path, prompt))
    qtbot.waitUntil(lambda: any(item.path == path for item in library.items))
    return next(item.id for item in library.items if item.path == path)


def store_of(library: Library) -> Store:
    parent = library.parent()
    assert isinstance(parent, Store)
    return parent


def test_a_new_video_is_there_with_its_facts_also_after_a_restart(
    make_library: MakeLibrary, videos: Path, qtbot: QtBot
) -> None:
    library = make_library()
    made = make_video(videos / "a.mp4", "a red circle", width=96, height=64)
    library.add(videos / "a.mp4", made)
    qtbot.waitUntil(lambda: len(library.items) == 1)
    item = library.items[0]
    assert (item.frames, item.fps, item.width, item.height) == (24, 24.0, 96, 64)
    assert item.request == made
    assert item.complete
    again = make_library()
    assert list(again.items) == [item]


def test_what_the_file_says_of_itself_counts(library: Library, videos: Path, qtbot: QtBot) -> None:
    made = make_video(videos / "a.mp4", "as it was directed in the end")
    library.add(videos / "a.mp4", request("as it was asked for"))
    qtbot.waitUntil(lambda: len(library.items) == 1)
    assert library.items[0].request == made


def test_a_folder_of_frames_is_a_video(library: Library, videos: Path, qtbot: QtBot) -> None:
    add(library, qtbot, videos / "frames")
    item = library.items[0]
    assert (item.frames, item.width, item.height) == (24, 64, 64)
    assert item.duration_s == 1.0


def test_search_finds_words_in_any_case_and_order(
    library: Library, videos: Path, qtbot: QtBot
) -> None:
    add(library, qtbot, videos / "a.mp4", "A red circle\nmoves left")
    add(library, qtbot, videos / "b.mp4", "a Red square")
    assert len(library.search("RED")) == 2
    assert [i.path.name for i in library.search("left red")] == ["a.mp4"]
    assert library.search("red triangle") == []
    assert len(library.search("  ")) == 2


def test_the_newest_comes_first(library: Library, videos: Path, qtbot: QtBot) -> None:
    for number, name in enumerate(("old.mp4", "new.mp4", "middle.mp4")):
        make_video(videos / name, name)
        os.utime(videos / name, (0, (100, 300, 200)[number]))
    library.rescan(videos)
    qtbot.waitUntil(lambda: len(library.items) == 3)
    assert [i.path.name for i in library.items] == ["new.mp4", "middle.mp4", "old.mp4"]


def test_a_rescan_finds_ours_and_only_ours(library: Library, videos: Path, qtbot: QtBot) -> None:
    make_video(videos / "whole.mp4", "whole")
    make_video(videos / "half.webm", "half", frames=12)  # of the 24 that were asked for
    make_video(videos / "frames", "frames")
    export_video(videos / "whole.mp4", videos / "copy.gif")
    (videos / "damaged.mp4").write_bytes(b"no video")
    (videos / "notes.txt").write_text("hello")
    (videos / "holiday").mkdir()
    library.rescan(videos)
    qtbot.waitUntil(lambda: len(library.items) == 3)
    library.rescan(videos)
    qtbot.waitUntil(lambda: library._pool.waitForDone(0))
    settle(qtbot, store_of(library))
    assert names(library) == {"whole.mp4", "half.webm", "frames"}
    assert {i.path.stem: i.complete for i in library.items}["half"] is False


def test_a_renamed_file_is_found_again(
    make_library: MakeLibrary, videos: Path, qtbot: QtBot
) -> None:
    library = make_library()
    item_id = add(library, qtbot, videos / "a.mp4")
    (videos / "a.mp4").rename(videos / "lighthouse.mp4")
    library.rescan(videos)
    qtbot.waitUntil(lambda: names(library) == {"lighthouse.mp4"})
    assert library.items[0].id == item_id
    assert names(make_library()) == {"lighthouse.mp4"}


def test_a_file_deleted_behind_its_back_is_missing_until_it_is_back(
    library: Library, videos: Path, qtbot: QtBot
) -> None:
    path = videos / "a.mp4"
    add(library, qtbot, path)
    path.rename(videos / "aside")
    library.check_files()
    qtbot.waitUntil(lambda: library.items[0].missing)
    (videos / "aside").rename(path)
    library.check_files()
    qtbot.waitUntil(lambda: not library.items[0].missing)


def test_a_thumbnail_that_fails_finds_out_that_the_file_is_gone(
    library: Library, videos: Path, qtbot: QtBot
) -> None:
    path = videos / "a.mp4"
    add(library, qtbot, path)
    path.unlink()
    library.thumbnails.want([path])
    qtbot.waitUntil(lambda: library.items[0].missing)


def test_a_missing_file_can_be_located_but_not_with_another_video(
    library: Library, videos: Path, qtbot: QtBot, tmp_path: Path
) -> None:
    item_id = add(library, qtbot, videos / "a.mp4")
    (videos / "a.mp4").rename(tmp_path / "b.mp4")
    make_video(tmp_path / "other.mp4", frames=48)
    of_the_same_size = videos / "of the same size.mp4"
    other_id = add(library, qtbot, of_the_same_size, "a blue square")
    for other in (tmp_path / "other.mp4", of_the_same_size):
        with qtbot.waitSignal(library.failed) as failed:
            library.locate(item_id, other)
        assert failed.args is not None
        assert "another video" in str(failed.args[0])
    library.forget([other_id])
    library.locate(item_id, tmp_path / "b.mp4")
    qtbot.waitUntil(lambda: library.items[0].path == tmp_path / "b.mp4")
    assert not library.items[0].missing


@pytest.mark.parametrize("name", ["red/blue", "宽" * 300, "taken"])
def test_a_name_that_cannot_be_is_refused_in_a_sentence(
    library: Library, videos: Path, qtbot: QtBot, name: str
) -> None:
    item_id = add(library, qtbot, videos / "a.mp4")
    (videos / "taken.mp4").touch()
    with qtbot.waitSignals([library.failed, library.settled]):
        library.rename(item_id, name)
    assert library.items[0].path == videos / "a.mp4"
    assert library.items[0].path.exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a trash of one's own")
@pytest.mark.parametrize("name", ["a.mp4", "frames"])
def test_deleting_goes_to_the_trash_and_comes_back(
    make_library: MakeLibrary, videos: Path, qtbot: QtBot, monkeypatch, tmp_path: Path, name: str
) -> None:
    library = make_library()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    item_id = add(library, qtbot, videos / name)
    with (
        qtbot.waitSignal(library.leaving) as leaving,
        qtbot.waitSignal(library.deleted) as deleted,
    ):
        library.delete([item_id])
    assert leaving.args == [[videos / name]]
    assert deleted.args is not None
    deletion = deleted.args[0]
    assert deletion.undoable
    assert not (videos / name).exists()
    assert (tmp_path / "data" / "Trash" / "files" / name).exists()
    assert not library.items
    library.restore(deletion)
    library.throw_away(deletion)  # at once: what is under way is waited for
    library.restore(deletion)
    qtbot.waitUntil(lambda: library._pool.waitForDone(0) and len(library.items) == 1)
    assert (videos / name).exists()
    assert not list((tmp_path / "data" / "Trash" / "info").iterdir())
    assert names(make_library()) == {name}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a trash of one's own")
def test_what_was_asked_for_as_the_program_ends_is_done_and_kept(
    make_library: MakeLibrary, videos: Path, qtbot: QtBot, monkeypatch, tmp_path: Path
) -> None:
    library = make_library()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    ids = {name: add(library, qtbot, videos / f"{name}.mp4") for name in ("a", "b", "c")}
    with qtbot.waitSignal(library.deleted) as deleted:
        library.delete([ids["a"]])
    assert deleted.args is not None
    begun, looked, more = threading.Event(), threading.Event(), []
    library._look(lambda: (begun.set(), looked.wait()), then=more.append)
    begun.wait()
    library._look(list, then=more.append)
    library.restore(deleted.args[0])
    library.delete([ids["b"]])
    library.rename(ids["c"], "d")
    looked.set()
    library.close()
    assert sorted(p.name for p in videos.iterdir()) == ["a.mp4", "d.mp4"]
    assert more == [], "nobody wants to know any more"
    assert names(make_library()) == {"a.mp4", "d.mp4"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a trash of one's own")
def test_without_a_trash_the_file_is_kept_and_that_is_said(
    library: Library, videos: Path, qtbot: QtBot, monkeypatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file" / "data"))
    item_id = add(library, qtbot, videos / "a.mp4")
    with qtbot.waitSignal(library.failed) as failed:
        library.delete([item_id])
    assert failed.args is not None
    assert isinstance(failed.args[0], MagiError)
    assert "it was kept" in str(failed.args[0])
    assert (videos / "a.mp4").exists()
    assert len(library.items) == 1


def test_deleting_a_missing_video_takes_it_off_the_list(
    library: Library, videos: Path, qtbot: QtBot
) -> None:
    item_id = add(library, qtbot, videos / "a.mp4")
    (videos / "a.mp4").unlink()
    with qtbot.waitSignal(library.deleted) as deleted:
        library.delete([item_id])
    assert deleted.args is not None
    assert deleted.args[0].undoable
    assert not library.items


_KILLED = """
import os, signal, sys
from pathlib import Path
from magi_engine.media.output import open_writer
from tests.desktop.state.helpers import request
from tests.desktop.state.videos import ramp
path = Path(sys.argv[1])
writer = open_writer(path, 64, 64, 24, request("cut short", num_frames=96).to_json())
writer.write(ramp(24))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_the_video_of_a_killed_program_is_recovered(
    library: Library, videos: Path, qtbot: QtBot
) -> None:
    path = videos / "cut.mp4"
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", _KILLED, str(path)], cwd=root, check=False)
    assert not path.exists()
    library.recover(videos)
    qtbot.waitUntil(lambda: len(library.items) == 1)
    item = library.items[0]
    assert (item.path, item.frames, item.complete) == (path, 24, False)
    assert item.prompt == "cut short"


def test_five_thousand_videos_load_and_filter_without_the_database_on_the_ui_thread(
    make_store: MakeStore, tmp_path: Path, qtbot: QtBot
) -> None:
    store = make_store()
    rows = [
        (
            str(n),
            f"/gone/{n}.mp4",
            "{}",
            f"prompt number {n}",
            float(n),
            24,
            24.0,
            64,
            64,
            1,
            0,
            None,
        )
        for n in range(5000)
    ]
    places = ", ".join("?" * 12)
    store.write(lambda c: c.executemany(f"INSERT INTO library VALUES ({places})", rows))
    settle(qtbot, store)
    store = make_store()
    threads: set[int] = set()
    store.read(
        lambda c: c.set_trace_callback(lambda _sql: threads.add(threading.get_ident())),
        lambda _: None,
        store,
    )
    library = Library(store, tmp_path / "thumbnails", store)
    qtbot.waitUntil(lambda: library.loaded)
    assert len(library.items) == 5000
    assert [i.id for i in library.search("number 4999")] == ["4999"]
    library.forget(["4999"])
    settle(qtbot, store)
    library.close()
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_how_long_a_video_took_is_kept(make_store: MakeStore, tmp_path: Path, qtbot: QtBot) -> None:
    store = make_store()
    library = Library(store, tmp_path / "thumbnails", store)
    qtbot.waitUntil(lambda: library.loaded)
    path = tmp_path / "a.mp4"
    library.add(path, make_video(path), took_s=12.5)
    qtbot.waitUntil(lambda: len(library.items) == 1)
    settle(qtbot, store)
    store = make_store()
    again = Library(store, tmp_path / "thumbnails", store)
    qtbot.waitUntil(lambda: again.loaded)
    assert again.items[0].took_s == 12.5
    assert not again.items[0].favourite


def test_a_file_of_which_nobody_can_tell_whether_it_is_there_stops_no_other(
    library: Library, make_library: MakeLibrary, qtbot: QtBot, videos: Path
) -> None:
    first = add(library, qtbot, videos / "a.mp4")
    gone = add(library, qtbot, videos / "b.mp4", "a blue cube")
    unknown = videos / ("n" * 300) / "b.mp4"  # no system looks for such a name
    store_of(library).write(
        lambda c: c.execute("UPDATE library SET path = ? WHERE id = ?", (str(unknown), gone))
    )
    settle(qtbot, store_of(library))
    (videos / "a.mp4").rename(videos.parent / "a.mp4")
    again = make_library()
    qtbot.waitUntil(lambda: [i.id for i in again.items if i.missing] == [first])
    with qtbot.waitSignals([again.failed, again.deleted], order="none"):
        again.delete([gone, first])
    assert [item.id for item in again.items] == [gone], "it could not be moved"
    (videos / "b.mp4").rename(videos / "c.mp4")
    make_video(videos / "d.mp4", "a green ball")
    again.rescan(videos)
    qtbot.waitUntil(lambda: names(again) == {"b.mp4", "d.mp4"})
