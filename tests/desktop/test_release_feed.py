"""The list of versions and the installers, over a real connection; and lists that mean harm."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from magi_desktop import publication, release_feed, set_up
from magi_desktop.release_feed import (
    FetchCancelled,
    Installer,
    Release,
    UpdateError,
    clear_fetched,
    fetch,
    fetched_bytes,
    is_fetched,
    latest_release,
    parse,
)
from magi_engine import __version__
from magi_engine.errors import DiskFullError
from tests.desktop.releases import INSTALLER, ReleasePage, make_feed

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def page() -> Iterator[ReleasePage]:
    with ReleasePage() as server:
        yield server
        server.shutdown()


@pytest.fixture
def installer(page: ReleasePage) -> Installer:
    return latest_release(page.feed_url).installers["linux-run"]


def ignore(_count: int) -> None:
    """Nobody wants to know how far it is."""


def test_a_newer_version_is_found_with_its_notes(page: ReleasePage) -> None:
    release = latest_release(page.feed_url)
    assert release.is_newer
    assert str(release.version) == "99.1.0"
    assert release.notes_in("zh_CN") == "更长的视频。"
    assert release.notes_in("de_DE") == "Longer videos."


@pytest.mark.parametrize(
    ("version", "own", "newer"),
    [
        ("1.10.0", "1.9.0", True),  # numbers, not letters
        ("1.9.0", "1.10.0", False),
        ("1.9", "1.9.0", False),
        ("2.0.0rc1", "1.9.0", False),  # trials only for who tries
        ("2.0.0rc2", "2.0.0rc1", True),
        ("2.0.0", "2.0.0rc1", True),
        ("1.0.0", "2.0.0", False),
    ],
)
def test_which_version_is_newer(
    version: str, own: str, newer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release_feed, "__version__", own)
    assert Release(Version(version), "", {}, {}).is_newer is newer


def first_installer(feed: dict[str, Any]) -> dict[str, Any]:
    return feed["installers"]["linux-deb"]


@pytest.mark.parametrize(
    "change",
    [
        lambda feed: feed.update(schema=2),
        lambda feed: feed.pop("schema"),
        lambda feed: feed.update(version="newest"),
        lambda feed: feed.update(version="../../1.0"),
        lambda feed: feed.update(version="1." * 200 + "0"),
        lambda feed: feed.update(version="9" * 5000),
        lambda feed: feed.update(version=3),
        lambda feed: feed.update(version="1!1.0"),
        lambda feed: feed.update(page="http://example.org/"),
        lambda feed: feed.update(page="file:///etc/passwd"),
        lambda feed: feed.update(page="javascript:alert(1)"),
        lambda feed: feed.update(page="https://"),
        lambda feed: feed.update(notes="all new"),
        lambda feed: feed.update(installers=None),
        lambda feed: feed.update(installers={"linux-deb": []}),
        lambda feed: first_installer(feed).update(url="http://example.org/x"),
        lambda feed: first_installer(feed).update(url="https://user:word@example.org/x"),
        lambda feed: first_installer(feed).update(url="https://example.org/\nx"),
        lambda feed: first_installer(feed).update(url=None),
        lambda feed: first_installer(feed).update(sha256="0" * 63),
        lambda feed: first_installer(feed).update(sha256="../" * 16),
        lambda feed: first_installer(feed).update(size_bytes=0),
        lambda feed: first_installer(feed).update(size_bytes=-1),
        lambda feed: first_installer(feed).update(size_bytes=1 << 60),
        lambda feed: first_installer(feed).update(size_bytes="12"),
        lambda feed: first_installer(feed).update(size_bytes=True),
    ],
)
def test_a_list_that_means_harm_is_refused_in_a_sentence(change: Change) -> None:
    feed = make_feed("https://example.org")
    parse(json.dumps(feed).encode())
    change(feed)
    with pytest.raises(UpdateError, match="not this program's list of versions"):
        parse(json.dumps(feed).encode())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>Sign in to this network</html>",
        b"null",
        b"[]",
        b"\xff\xfe\x00",
        b"[" * 60_000,
        b'{"schema": 1e999}',
        b"\x1f\x8b" + bytes(1000),
    ],
    ids=["nothing", "page", "null", "array", "binary", "deep", "infinite", "packed"],
)
def test_what_is_no_list_is_refused(content: bytes) -> None:
    with pytest.raises(UpdateError, match="not this program's list of versions"):
        parse(content)


def test_an_endless_list_is_not_read_to_its_end(page: ReleasePage) -> None:
    page.announce(bytes(1 << 30))
    with pytest.raises(UpdateError):
        latest_release(page.feed_url)
    assert page.served["latest.json"] < 16 << 20


def test_a_list_that_comes_drop_by_drop_is_given_up(
    page: ReleasePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release_feed, "_PATIENCE_S", 0.2)
    page.piece, page.pause_s = 1, 0.01
    with pytest.raises(UpdateError):
        latest_release(page.feed_url)
    assert page.served["latest.json"] < len(page.files["latest.json"])


def test_no_name_of_a_file_comes_from_the_list(page: ReleasePage, tmp_path: Path) -> None:
    feed = make_feed(page.url)
    feed["installers"]["../evil"] = first_installer(feed)
    first_installer(feed)["url"] += "?/../../evil"
    page.announce(feed)
    release = latest_release(page.feed_url)
    assert set(release.installers) == set(publication.INSTALLERS)
    places = [i.place_in(tmp_path) for i in release.installers.values()]
    assert {p.parent for p in places} == {tmp_path / "99.1.0"}
    assert {p.name for p in places} == {
        "magi-desktop_99.1.0_amd64.deb",
        "magi-desktop-99.1.0-x86_64.run",
        "magi-desktop-99.1.0-setup.exe",
    }


def test_unencrypted_addresses_are_for_tests_alone(page: ReleasePage) -> None:
    with pytest.raises(UpdateError):
        parse(page.files["latest.json"])
    page.redirects["latest.json"] = "http://example.org/latest.json"
    with pytest.raises(UpdateError, match="not this program's list"):
        latest_release(page.feed_url)
    assert publication.FEED_URL.startswith("https://")


@pytest.mark.parametrize("status", [404, 500, 403])
def test_a_server_that_refuses_is_a_sentence(page: ReleasePage, status: int) -> None:
    page.statuses = [status]
    with pytest.raises(UpdateError, match="not this program's list"):
        latest_release(page.feed_url)


def test_no_network_and_no_proxy_are_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UpdateError, match=r"cannot be reached\. Check the network"):
        latest_release("http://127.0.0.1:9/latest.json")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(UpdateError, match=r"cannot be reached\. Check the network or the proxy"):
        latest_release(publication.FEED_URL)


def test_an_installer_comes_and_is_the_one_announced(installer: Installer, tmp_path: Path) -> None:
    came: list[int] = []
    path = fetch(installer, tmp_path / "ü v", came.append)
    assert path.read_bytes() == INSTALLER
    assert sum(came) == len(INSTALLER)
    assert is_fetched(installer, tmp_path / "ü v")


def fetch_a_part(installer: Installer, folder: Path) -> None:
    """Some of it, until somebody stops it."""

    def stop(_count: int) -> None:
        if fetched_bytes(installer, folder) > 1 << 20:
            raise FetchCancelled

    with pytest.raises(FetchCancelled):
        fetch(installer, folder, stop)


def test_stopped_it_goes_on_where_it_was(
    page: ReleasePage, installer: Installer, tmp_path: Path
) -> None:
    fetch_a_part(installer, tmp_path)
    before = fetched_bytes(installer, tmp_path)
    assert 1 << 20 < before < len(INSTALLER)
    came: list[int] = []
    fetch(installer, tmp_path, came.append)
    assert sum(came) == len(INSTALLER) - before
    came.clear()
    fetch(installer, tmp_path, came.append)
    assert came == [], "it is here already"


def test_other_bytes_than_announced_are_thrown_away(
    page: ReleasePage, installer: Installer, tmp_path: Path
) -> None:
    page.wrong.add("installer")
    with pytest.raises(UpdateError, match="could not be fetched"):
        fetch(installer, tmp_path, ignore)
    assert not installer.place_in(tmp_path).exists()
    assert fetched_bytes(installer, tmp_path) == 0


def test_what_was_changed_on_the_disk_is_noticed(installer: Installer, tmp_path: Path) -> None:
    path = fetch(installer, tmp_path, ignore)
    path.write_bytes(INSTALLER[:-1] + b"x")
    assert not is_fetched(installer, tmp_path)
    fetch(installer, tmp_path, ignore)
    assert is_fetched(installer, tmp_path)


def test_too_little_space_is_said_in_numbers(
    installer: Installer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=10_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage)
    with pytest.raises(DiskFullError, match=r"2\.1 MB are to come, 10\.0 MB are free"):
        fetch(installer, tmp_path, ignore)


def test_what_is_here_needs_no_space_again(
    installer: Installer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch_a_part(installer, tmp_path)
    rest = len(INSTALLER) - fetched_bytes(installer, tmp_path)
    usage = shutil.disk_usage(tmp_path)
    just_enough = usage._replace(free=rest + release_feed._SPARE_BYTES)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: just_enough)
    fetch(installer, tmp_path, ignore)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage._replace(free=0))
    assert is_fetched(installer, tmp_path)
    fetch(installer, tmp_path, ignore)


def test_a_folder_that_cannot_be_made_is_a_sentence(installer: Installer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UpdateError, match="could not be fetched"):
        fetch(installer, tmp_path / "file" / "folder", ignore)


def test_installers_that_did_their_work_are_cleared_away(tmp_path: Path) -> None:
    for name in (__version__, "0.0.1", "99.1.0", "rubbish"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "magi-desktop.run").touch()
    clear_fetched(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["99.1.0"]
    clear_fetched(tmp_path / "nowhere")


@pytest.mark.skipif(sys.platform == "win32", reason="it tells Linux's two apart")
@pytest.mark.parametrize(
    ("launcher", "kind"),
    [
        (None, None),
        (["/usr/bin/python3", "-I", "/usr/lib/magi-desktop/app", "--setup"], "linux-deb"),
        (["/usr/bin/python3", "-I", "/home/a/.local/opt/magi-desktop/app"], "linux-run"),
    ],
)
def test_the_kind_of_installer_is_known_from_where_the_program_is(
    launcher: list[str] | None, kind: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(set_up, "launcher", lambda: launcher)
    assert set_up.installer_kind() == kind
