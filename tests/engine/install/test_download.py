"""Downloads against a real server on the loopback: cut, killed, lied to, damaged."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from magi_engine import fetching
from magi_engine.errors import DownloadError
from magi_engine.install.download import download
from magi_engine.install.hub import RemoteFile, part_of
from magi_engine.install.verifying import verify_files
from magi_engine.weights.manifest import Manifest
from tests.engine.install.hub_server import HubServer

_CLIENT = """
import sys
from pathlib import Path
from magi_engine.config.registry import Registry
from magi_engine.install.download import download
from magi_engine.install.hub import list_part
files = list_part(Registry.load().find("4.5B-distill").folder_sources[1])
for _ in download(files, Path(sys.argv[1])): pass
"""
_A, _B = "ckpt/vae/a.safetensors", "ckpt/vae/b.safetensors"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    data = random.Random(1)
    files = {path: data.randbytes(3_000_000) for path in (_A, _B)}
    server = HubServer({**files, "ckpt/vae/config.json": b"{}"})
    monkeypatch.setattr(fetching, "_BACKOFF_S", 0.01)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    yield server
    server.shutdown()
    server.server_close()


def _remote(server: HubServer) -> list[RemoteFile]:
    return [
        RemoteFile(
            path,
            f"{server.url}/x/resolve/main/{path}",
            len(data),
            hashlib.sha256(data).hexdigest(),
            None,
            "test",
        )
        for path, data in server.files.items()
    ]


def _same(server: HubServer, folder: Path) -> bool:
    return all((folder / path).read_bytes() == data for path, data in server.files.items())


def _size(server: HubServer) -> int:
    return sum(map(len, server.files.values()))


def test_a_cut_and_a_busy_server_cost_no_byte_twice(server: HubServer, tmp_path: Path) -> None:
    server.cut_after, server.statuses = 1_000_000, [429, 503]
    list(download(_remote(server), tmp_path))
    assert _same(server, tmp_path)
    assert sum(server.served.values()) == _size(server)
    assert list(tmp_path.rglob("*.part")) == []


@pytest.mark.parametrize(
    ("retry_after", "least_s"),
    [("1", 1.0), ("Fri, 27 Nov 2026 12:00:01 GMT", 1.0), ("soon", 0.0), ("", 0.0)],
)
def test_a_server_is_left_alone_for_as_long_as_it_asks_by_its_own_clock(
    server: HubServer, tmp_path: Path, retry_after: str, least_s: float
) -> None:
    server.statuses, server.retry_after = [503], retry_after
    begun = time.monotonic()
    list(download(_remote(server)[:1], tmp_path))
    assert least_s <= time.monotonic() - begun < 50, "and not for the longest time, which is 60 s"


def test_wrong_bytes_are_refused(server: HubServer, tmp_path: Path) -> None:
    server.wrong = {_A}
    with pytest.raises(DownloadError, match="other content"):
        list(download(_remote(server), tmp_path))
    assert not (tmp_path / _A).exists()
    assert list(tmp_path.rglob("a.*.part")) == []


def test_a_damaged_beginning_is_found_and_fetched_anew(server: HubServer, tmp_path: Path) -> None:
    file = _remote(server)[0]
    part = part_of(file, tmp_path)
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(2_000_000))
    list(download([file], tmp_path))
    assert (tmp_path / _A).read_bytes() == server.files[_A]
    assert server.starts[_A] == [2_000_000, 0]


def test_a_damaged_byte_is_found_and_only_that_file_fetched(
    server: HubServer, tmp_path: Path
) -> None:
    list(download(_remote(server), tmp_path))
    victim = tmp_path / _B
    data = bytearray(victim.read_bytes())
    data[1_234_567] ^= 1
    victim.write_bytes(data)
    paths = Manifest.load(tmp_path).files
    found = [c.path for c in verify_files(tmp_path, paths, {}) if c.damaged]
    assert found == [_B]
    server.served.clear()
    list(download(_remote(server), tmp_path))
    assert _same(server, tmp_path)
    assert set(server.served) == {_B}


def test_without_ranges_what_is_here_stays(server: HubServer, tmp_path: Path) -> None:
    server.ranges, server.cut_after = False, 2_000_000
    list(download(_remote(server)[:1], tmp_path))
    assert (tmp_path / _A).read_bytes() == server.files[_A]
    assert server.served[_A] == 5_000_000  # there is no other way


def test_without_ranges_and_never_whole_it_ends(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_MAX_WAIT_S", 0.05)
    server.ranges, server.cut_every = False, 1_000_000
    with pytest.raises(DownloadError, match="network or the server fails"):
        list(download(_remote(server)[:1], tmp_path))
    assert part_of(_remote(server)[0], tmp_path).stat().st_size == 1_000_000
    server.ranges = True
    list(download(_remote(server)[:1], tmp_path))
    assert server.starts[_A][-2:] == [1_000_000, 2_000_000]


def test_what_the_hub_replaces_meanwhile_is_not_mixed(server: HubServer, tmp_path: Path) -> None:
    server.cut_after, server.on_cut = 1_000_000, server.swapped.add
    server.stall_at = 1_500_000  # its rest would be of no use: nobody waits for it
    with pytest.raises(DownloadError, match="replaced"):
        list(download(_remote(server)[:1], tmp_path))
    server.stall_at = None
    server.go_on.set()
    server.files[_A] = random.Random(9).randbytes(2_500_000)
    list(download(_remote(server)[:1], tmp_path))
    assert (tmp_path / _A).read_bytes() == server.files[_A]
    assert list(tmp_path.rglob("*.part")) == [], "what it was before is of no use either"


def test_a_file_of_another_size_is_said_at_once(server: HubServer, tmp_path: Path) -> None:
    stale = _remote(server)
    server.files[_A] += b"more"
    with pytest.raises(DownloadError, match="replaced"):
        list(download(stale[:1], tmp_path))
    assert not (tmp_path / _A).exists()


def test_the_same_content_is_not_fetched_under_another_name(
    server: HubServer, tmp_path: Path
) -> None:
    list(download(_remote(server)[:1], tmp_path))
    server.served.clear()
    twin = RemoteFile(
        "added/mine/a.safetensors", "http://127.0.0.1:9/", len(server.files[_A]),
        _remote(server)[0].sha256, None, "x/y",
    )  # fmt: skip
    list(download([twin], tmp_path))
    assert (tmp_path / twin.path).samefile(tmp_path / _A)
    assert Manifest.load(tmp_path).holds(twin.path, twin.sha256)


def test_what_was_put_here_by_hand_is_hashed_and_not_fetched(
    server: HubServer, tmp_path: Path
) -> None:
    for path in (_A, "ckpt/vae/config.json"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(server.files[path])
    (tmp_path / _B).write_bytes(bytes(3_000_000))
    list(download(_remote(server), tmp_path))
    assert set(server.served) == {_B}
    assert _same(server, tmp_path)


def test_a_client_killed_at_eight_moments_loses_nothing(server: HubServer, tmp_path: Path) -> None:
    server.piece = 1 << 14
    rng = random.Random(2)
    begun: dict[str, list[int]] = {path: [] for path in server.files}
    for _ in range(8):
        known = {f.path: _length(part_of(f, tmp_path)) for f in _remote(server)}
        asked = {path: len(starts) for path, starts in server.starts.items()}
        server.stall_at = sum(server.served.values()) + rng.randrange(1, 280_000)
        server.stalled, server.go_on = threading.Event(), threading.Event()
        client = subprocess.Popen([sys.executable, "-c", _CLIENT, str(tmp_path)])
        while not server.stalled.wait(0.05):
            assert client.poll() is None, "it was to be killed, not to end"
        client.kill()
        client.wait()
        server.go_on.set()
        for path, starts in server.starts.items():
            # Not one byte that lay on the disk was asked for again.
            for start in starts[asked.get(path, 0) :]:
                assert start == known[path]
                begun[path].append(start)
        _claims_no_more_than_it_has(server, tmp_path)
    server.stall_at = None
    assert subprocess.run([sys.executable, "-c", _CLIENT, str(tmp_path)]).returncode == 0
    assert _same(server, tmp_path)
    assert all(starts == sorted(starts) for starts in begun.values())
    assert max(max(starts, default=0) for starts in begun.values()) > 0


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _claims_no_more_than_it_has(server: HubServer, folder: Path) -> None:
    manifest = Manifest.load(folder)
    for path, data in server.files.items():
        if (folder / path).exists():
            assert (folder / path).read_bytes() == data
        assert not manifest.holds(path) or (folder / path).exists()
    for file in _remote(server):
        part = part_of(file, folder)
        if part.exists():
            assert server.files[file.path].startswith(part.read_bytes())
