"""One server for all tests that do it no harm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from magi_engine.remote.engine import RemoteEngine
from tests.engine.serve.servers import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It has two tokens."""
    server = Server(tmp_path_factory.mktemp("server"))
    server.folder.mkdir(parents=True)
    server.token_file.touch(0o600)
    server.token_file.write_text(f"{'first' * 8}\n{'second' * 8}\n")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def engine(server: Server, tmp_path: Path) -> Iterator[RemoteEngine]:
    engine = server.engine(tmp_path / "records")
    yield engine
    engine.close()
