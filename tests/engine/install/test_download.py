"""Downloads against a real server on the loopback: cut, killed, lied to, damaged."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from magi_engine.errors import DownloadError
from magi_engine.install import hub
from magi_engine.install.download import damaged_files, download
from magi_engine.install.hub import RemoteFile, part_of
from magi_engine.weights.manifest import Manifest
from tests.engine.install.hub_server import HubServer

_CLIENT = """
import sys
from pathlib import Path
from magi_engine.config.registry import Registry
from magi_engine.install.download import download
from magi_engine.install.hub import list_folder
files = list_folder(Registry.load().find("4.5B-distill").release, "ckpt/vae")
for _ in download(files, Path(sys.argv[1]), "test"): pass
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    data = random.Random(1)
    files = {f"ckpt/vae/{n}.safetensors": data.randbytes(3_000_000) for n in "ab"}
    server = HubServer({**files, "ckpt/vae/config.json": b"{}"})
    monkeypatch.setattr(hub, "_BACKOFF_S", 0.01)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    yield server
    server.shutdown()
    server.server_close()


def _remote(server: HubServer) -> list[RemoteFile]:
    import hashlib

    return [
        RemoteFile(
            path,
            f"{server.url}/x/resolve/main/{path}",
            len(data),
            hashlib.sha256(data).hexdigest(),
            None,
        )
        for path, data in server.files.items()
    ]


def _same(server: HubServer, folder: Path) -> bool:
    return all((folder / path).read_bytes() == data for path, data in server.files.items())


def test_a_cut_and_a_busy_server_cost_no_byte_twice(server: HubServer, tmp_path: Path) -> None:
    server.cut_after, server.statuses = 1_000_000, [429, 503]
    list(download(_remote(server), tmp_path, "test"))
    assert _same(server, tmp_path)
    assert sum(server.served.values()) == sum(map(len, server.files.values()))
    assert list(tmp_path.rglob("*.part")) == []


def test_wrong_bytes_are_refused(server: HubServer, tmp_path: Path) -> None:
    server.wrong = {"ckpt/vae/a.safetensors"}
    with pytest.raises(DownloadError, match="other content"):
        list(download(_remote(server), tmp_path, "test"))
    assert not (tmp_path / "ckpt/vae/a.safetensors").exists()


def test_a_damaged_byte_is_found_and_only_that_file_fetched(
    server: HubServer, tmp_path: Path
) -> None:
    list(download(_remote(server), tmp_path, "test"))
    victim = tmp_path / "ckpt/vae/b.safetensors"
    data = bytearray(victim.read_bytes())
    data[1_234_567] ^= 1
    victim.write_bytes(data)
    checked = dict(damaged_files(tmp_path, (Path("ckpt/vae"),)))
    assert [path for path, bad in checked.items() if bad] == ["ckpt/vae/b.safetensors"]
    server.served.clear()
    list(download(_remote(server), tmp_path, "test"))
    assert _same(server, tmp_path)
    assert set(server.served) == {"ckpt/vae/b.safetensors"}


def test_a_client_killed_at_twenty_moments_loses_nothing(server: HubServer, tmp_path: Path) -> None:
    server.piece, server.pause_s = 1 << 14, 0.004
    rng, kills, deadline = random.Random(2), 0, time.monotonic() + 60
    while kills < 20:
        client = subprocess.Popen([sys.executable, "-c", _CLIENT, str(tmp_path)])
        goal = sum(server.served.values()) + rng.randrange(1, 280_000)
        while sum(server.served.values()) < goal:
            assert time.monotonic() < deadline
            assert client.poll() is None, "it was to be killed, not to end"
            time.sleep(0.001)
        client.kill()
        client.wait()
        kills += 1
        manifest = Manifest.load(tmp_path)
        for path, data in server.files.items():
            if (tmp_path / path).exists():
                assert (tmp_path / path).read_bytes() == data
            assert not manifest.holds(path) or (tmp_path / path).exists()
        for file in _remote(server):
            part = part_of(file, tmp_path)
            if part.exists():
                assert server.files[file.path].startswith(part.read_bytes())
    server.pause_s = 0.0
    assert subprocess.run([sys.executable, "-c", _CLIENT, str(tmp_path)]).returncode == 0
    assert _same(server, tmp_path)
    size = sum(map(len, server.files.values()))
    assert sum(server.served.values()) <= size + kills * 2 * (1 << 16)
