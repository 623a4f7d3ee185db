"""The page about serving says what works; and who does not serve does not load it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import magi_engine.serve
from magi_engine.media.info import probe
from tests.engine.serve.servers import Server

_PAGE = (Path(magi_engine.serve.__file__).parent / "README.md").read_text(encoding="utf-8")


def _block(language: str, server: Server) -> str:
    (block,) = re.findall(rf"```{language}\n(.*?)```", _PAGE, re.DOTALL)
    return block.replace("http://127.0.0.1:8611", server.address)


@pytest.fixture
def folder(server: Server, tmp_path: Path) -> Path:
    key = server.token_file.read_text().split()[0]
    (tmp_path / "token").write_text(f"{key}\n")
    return tmp_path


def test_the_client_of_ten_lines(server: Server, folder: Path) -> None:
    code = _block("python", server)
    assert len([line for line in code.splitlines() if line]) == 10
    (folder / "wish.json").write_text(_block("json", server), encoding="utf-8")
    code = code.replace("timeout=60", "timeout=None")  # a busy machine
    code = code.replace("httpx2.get(", "httpx2.get(timeout=None, url=")
    code = code.replace("connect(f", "connect(open_timeout=None, ping_timeout=None, uri=f")
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "finished" in done.stdout.splitlines()
    assert probe(folder / "star.mp4").frame_count == 48


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_the_line_for_curl(server: Server, folder: Path) -> None:
    line = _block("sh", server)
    done = subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"videos_waiting"' in done.stdout


def test_who_does_not_serve_loads_nothing_of_it() -> None:
    code = (
        "import sys, magi_engine.cli.main, magi_desktop.main_window, magi_desktop.workshop\n"
        "import magi_engine.runtime.engine_process\n"
        "magi_engine.cli.main.build_parser()\n"
        "extras = {'fastapi', 'uvicorn', 'starlette', 'websockets', 'pydantic', 'ray'}\n"
        "loaded = extras & set(sys.modules)\n"
        "assert not loaded, loaded\n"
        "assert not [m for m in sys.modules if m.startswith(('magi_engine.serve', "
        "'magi_engine.remote'))]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_beyond_this_machine_only_with_tls_or_on_purpose(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "magi_engine", "serve", "--host", "0.0.0.0", "--port", "0"]
    command += ["--folder", str(tmp_path / "serve")]
    environment = {**os.environ, "PATH": str(tmp_path)}  # no OpenSSL
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 2
    assert "--tls-cert" in done.stderr
    assert not done.stdout
