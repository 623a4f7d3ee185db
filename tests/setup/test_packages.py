"""Fetching packages over a connection that fails."""

import contextlib
import errno
import hashlib
import http.server
import threading
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import pytest

from magi_engine import fetching
from magi_engine.errors import DiskFullError
from magi_setup.bundle import Bundle
from magi_setup.errors import DamagedPackageError, NetworkError, SetupCancelled
from magi_setup.packages import WheelFile, _ask_size, check_against_release, fetch, refuse_damaged

CONTENT = bytes(range(256)) * 4096


class Shop(http.server.ThreadingHTTPServer):
    """Serves CONTENT with ranges; cuts the first answers short, sends wrong bytes, stands still."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.cuts = 0
        self.riddles = 0
        self.riddles_later = False
        """Whether nothing but riddles comes once all cuts were made."""
        self.content = CONTENT
        self.sent_bytes = 0
        self.gone: set[str] = set()
        """What is not there, as turns out once an answer to something else waits."""
        self.stop_at: int | None = None
        """After so many bytes the answer waits for ``go_on``."""
        self.waits, self.go_on = threading.Event(), threading.Event()


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        shop = self.server
        assert isinstance(shop, Shop)
        if shop.riddles > 0 or (shop.riddles_later and shop.cuts == 0):
            shop.riddles -= 1
            self.wfile.write(b"what a proxy may say\r\n")
            return
        if self.path in shop.gone:
            shop.waits.wait()
            self.send_error(404)
            shop.go_on.set()
            return
        wanted = self.headers.get("Range", "bytes=0-")
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        body = shop.content[start:]
        self.send_response(206 if "Range" in self.headers else 200)
        self.send_header("Content-Length", str(len(body)))
        if "Range" in self.headers:
            whole = len(shop.content)
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        self.end_headers()
        if shop.cuts > 0:
            shop.cuts -= 1
            body = body[: len(body) // 2]
        shop.sent_bytes += len(body)
        if shop.stop_at is not None:
            self.wfile.write(body[: shop.stop_at])
            body = body[shop.stop_at :]
            self.wfile.flush()
            shop.waits.set()
            shop.go_on.wait()
        with contextlib.suppress(OSError):  # nobody may be left
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests say what went wrong."""


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


def wheel(shop: Shop, name: str = "some") -> WheelFile:
    url = f"http://127.0.0.1:{shop.server_port}/{name}-1.0-py3-none-any.whl"
    return WheelFile(name, "1.0", url, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


def test_a_cut_connection_goes_on_where_it_stopped(shop: Shop, tmp_path: Path) -> None:
    shop.cuts = 1
    *_, last = fetch([wheel(shop)], tmp_path, threading.Event())
    assert last == len(CONTENT)
    assert (tmp_path / "some-1.0-py3-none-any.whl").read_bytes() == CONTENT
    assert shop.sent_bytes == len(CONTENT)


def test_an_answer_that_is_no_http_is_asked_for_again(shop: Shop, tmp_path: Path) -> None:
    shop.riddles = 1
    list(fetch([wheel(shop)], tmp_path, threading.Event()))
    assert (tmp_path / "some-1.0-py3-none-any.whl").read_bytes() == CONTENT


def test_what_an_earlier_start_left_is_not_fetched_again(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "some-1.0-py3-none-any.whl.part").write_bytes(CONTENT[:1000])
    list(fetch([wheel(shop)], tmp_path, threading.Event()))
    assert (tmp_path / "some-1.0-py3-none-any.whl").read_bytes() == CONTENT
    assert shop.sent_bytes == len(CONTENT) - 1000


def test_a_damaged_start_is_thrown_away_once(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "some-1.0-py3-none-any.whl.part").write_bytes(b"x" * 1000)
    list(fetch([wheel(shop)], tmp_path, threading.Event()))
    assert (tmp_path / "some-1.0-py3-none-any.whl").read_bytes() == CONTENT


def test_wrong_bytes_are_refused_by_name(shop: Shop, tmp_path: Path) -> None:
    shop.content = CONTENT[:-1] + b"x"
    with pytest.raises(DamagedPackageError, match="some arrived damaged"):
        list(fetch([wheel(shop)], tmp_path, threading.Event()))
    assert list(tmp_path.iterdir()) == []


def parts(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_cancelled_it_keeps_what_has_come_and_goes_on_from_there(
    shop: Shop, tmp_path: Path
) -> None:
    files = [wheel(shop), wheel(shop, "other")]
    cancelled, half = threading.Event(), len(CONTENT) // 2
    shop.stop_at = half

    def note(here: int) -> None:
        if here == 2 * half:
            cancelled.set()
            shop.go_on.set()

    with pytest.raises(SetupCancelled):
        list(map(note, fetch(files, tmp_path, cancelled)))
    left = parts(tmp_path)
    assert set(left) == {f"{file.filename}.part" for file in files}
    assert all(CONTENT.startswith(data) and len(data) >= 1 << 19 for data in left.values())
    shop.sent_bytes, shop.stop_at = 0, None
    list(fetch(files, tmp_path, threading.Event()))
    assert parts(tmp_path) == {file.filename: CONTENT for file in files}
    assert shop.sent_bytes == 2 * len(CONTENT) - sum(map(len, left.values()))


def test_a_lost_connection_keeps_what_has_come(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_BACKOFF_S", 0.0)
    shop.cuts, shop.riddles_later = 1, True
    with pytest.raises(NetworkError, match="connection was lost"):
        list(fetch([wheel(shop)], tmp_path, threading.Event()))
    assert parts(tmp_path) == {"some-1.0-py3-none-any.whl.part": CONTENT[: len(CONTENT) // 2]}


def test_a_file_that_cannot_be_had_leaves_the_parts_of_the_others(
    shop: Shop, tmp_path: Path
) -> None:
    shop.gone, shop.stop_at = {"/gone-1.0-py3-none-any.whl"}, len(CONTENT) // 2
    (tmp_path / "some-1.0-py3-none-any.whl.part").write_bytes(CONTENT[:1000])
    with pytest.raises(NetworkError):
        list(fetch([wheel(shop, "gone"), wheel(shop)], tmp_path, threading.Event()))
    (some,) = tmp_path.glob("some-1.0-py3-none-any.whl*")  # in part, or whole by then
    assert CONTENT.startswith(some.read_bytes())
    assert some.stat().st_size >= 1000


def test_a_full_disk_keeps_what_has_come(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, write_all = [len(CONTENT) // 2], fetching.write_all

    def write(out: FileIO, block: bytes) -> None:
        write_all(out, block[: room[0]])
        room[0] -= len(block)
        if room[0] < 0:
            raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(fetching, "write_all", write)
    with pytest.raises(DiskFullError):
        list(fetch([wheel(shop)], tmp_path, threading.Event()))
    assert parts(tmp_path) == {"some-1.0-py3-none-any.whl.part": CONTENT[: len(CONTENT) // 2]}


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    allowed = hashlib.sha256(CONTENT).hexdigest()
    (tmp_path / "requirements.txt").write_text(f"some==1.0 \\\n    --hash=sha256:{allowed}\n")
    return Bundle(tmp_path, "1.0", "0" * 64, "torch==2.13.0", ("cpu",), ())


def file(name: str, version: str, content: bytes) -> WheelFile:
    return WheelFile(name, version, "", hashlib.sha256(content).hexdigest(), len(content))


def test_only_the_releases_own_files_are_taken(bundle: Bundle) -> None:
    check_against_release(bundle, "cpu", [file("some", "1.0", CONTENT)])
    for wrong in (file("some", "1.0", b"other"), file("some", "1.1", CONTENT)):
        with pytest.raises(DamagedPackageError, match="some"):
            check_against_release(bundle, "cpu", [wrong])
    with pytest.raises(DamagedPackageError, match="stranger"):
        check_against_release(bundle, "cpu", [file("stranger", "1.0", CONTENT)])


def test_torch_without_known_hashes_is_held_to_its_index(bundle: Bundle) -> None:
    check_against_release(bundle, "cpu", [file("torch", "2.13.0", b"torch")])
    (bundle.folder / "torch-cpu.txt").write_text(f"torch==2.13.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(DamagedPackageError, match="torch"):
        check_against_release(bundle, "cpu", [file("torch", "2.13.0", b"torch")])


def test_a_folder_may_be_one_that_another_computer_shares(tmp_path: Path) -> None:
    """Its address is file://computer/folder; any path that begins with two slashes has such one."""
    there, here = tmp_path / "a b.whl", tmp_path / "here"
    there.write_bytes(CONTENT)
    address = f"file:/{there.as_posix().replace(' ', '%20')}"
    file = WheelFile("a", "1", address, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
    *_, done = fetch([file], here, threading.Event())
    assert done == len(CONTENT)
    assert (here / "a b.whl").read_bytes() == CONTENT
    assert _ask_size(address) == len(CONTENT)


def test_a_damaged_file_in_a_folder_is_named(bundle: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "wheels"
    folder.mkdir()
    path = folder / "some-1.0-py3-none-any.whl"
    path.write_bytes(CONTENT)
    (folder / "renamed.whl").touch()
    refuse_damaged(bundle, "cpu", folder)
    path.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(DamagedPackageError, match="some"):
        refuse_damaged(bundle, "cpu", folder)
