"""``magi models`` on a small release."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from magi_engine.cli.exit_codes import BAD_INPUT, DONE, FAILURE
from magi_engine.cli.main import main
from magi_engine.config.added import AddedModels, user_models_file
from magi_engine.resources import resource_path
from magi_engine.weights.manifest import Manifest
from tests.engine.install.hub_server import HubServer
from tests.engine.install.test_process import put_special_tokens, release_files
from tests.places import move_places

_NAME = "4.5B-distill"
_WEIGHTS = "ckpt/magi/4.5B_distill/inference_weight.distill/model.safetensors"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    server = HubServer(release_files(100_000))
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    yield server
    server.shutdown()
    server.server_close()


def test_a_model_comes_is_listed_and_goes(
    server: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_special_tokens(tmp_path)
    where = ("--models-dir", str(tmp_path))
    assert main(["models", "download", _NAME, *where]) == BAD_INPUT  # nobody to ask
    assert "has not been accepted" in capsys.readouterr().err
    # The hub's library reads HF_ENDPOINT once, when it comes in.
    command = [sys.executable, "-m", "magi_engine", "models", "download", _NAME, "--yes", *where]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "is ready" in done.stderr
    assert main(["models", "list", *where]) == DONE
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith(f"{_NAME} "))
    assert "ready" in line
    assert main(["models", "remove", _NAME, *where]) == BAD_INPUT
    assert (tmp_path / _WEIGHTS).exists(), "not without being asked"
    assert main(["models", "remove", _NAME, "--yes", *where]) == DONE
    assert not (tmp_path / _WEIGHTS).exists()
    assert main(["models", "remove", "pocket", "--yes", *where]) == BAD_INPUT
    capsys.readouterr()
    for action in ("download", "verify", "quantize"):
        assert main(["models", action, "pocket", *where]) == BAD_INPUT
        assert "Pocket ships with the program." in capsys.readouterr().err
    assert resource_path("pocket", "vae", "config.json").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
def test_who_ends_the_terminal_at_a_question_has_not_agreed(tmp_path: Path) -> None:
    link = tmp_path / "models" / _WEIGHTS
    link.parent.parent.mkdir(parents=True)
    link.parent.symlink_to(tmp_path, target_is_directory=True)
    ours, theirs = os.openpty()
    for action, says in (("remove", "Nothing was removed"), ("download", "has not been accepted")):
        os.write(ours, b"\4")  # Ctrl-D
        command = [sys.executable, "-m", "magi_engine", "models", action, _NAME]
        command += ["--models-dir", str(tmp_path / "models")]
        done = subprocess.run(command, stdin=theirs, capture_output=True, text=True)
        assert done.returncode == BAD_INPUT
        assert says in done.stderr
    assert link.parent.is_symlink()
    os.close(ours)
    os.close(theirs)


def test_an_official_folder_is_added_and_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    official, models_dir = tmp_path / "MAGI-1", tmp_path / "models"
    tokens = resource_path("pocket", "special_tokens.npz").read_bytes()
    files = {**release_files(1000), "example/assets/special_tokens.npz": tokens}
    for path, data in files.items():
        (official / path).parent.mkdir(parents=True, exist_ok=True)
        (official / path).write_bytes(data)
    where = ("--models-dir", str(models_dir))
    assert main(["models", "import", str(official), *where]) == DONE
    assert "Ready to use" in capsys.readouterr().err
    assert main(["models", "verify", _NAME, *where]) == DONE
    (official / _WEIGHTS).write_bytes(b"x" * 1000)
    assert main(["models", "verify", _NAME, *where]) == FAILURE
    said = capsys.readouterr().err
    assert "is damaged" in said
    assert said.endswith(f"models download {_NAME} --models-dir {models_dir}\n")
    assert Manifest.load(models_dir).damaged() == [_WEIGHTS]
    assert main(["models", "remove", _NAME, "--yes", *where]) == DONE
    assert (official / _WEIGHTS).exists(), "only the link goes"
    assert main(["models", "import", str(tmp_path / "nowhere"), *where]) == BAD_INPUT


def test_the_mirror_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    move_places(monkeypatch, tmp_path)
    assert main(["models", "mirror"]) == DONE
    assert capsys.readouterr().out == "none\n"
    AddedModels.change(lambda added: replace(added, mirror="https://mirror.example"))
    assert main(["models", "mirror"]) == DONE
    assert capsys.readouterr().out == "https://mirror.example\n"
    assert main(["models", "mirror", "none"]) == DONE
    assert AddedModels.load().mirror is None
    user_models_file().write_text("{", encoding="utf-8")
    assert main(["models", "mirror"]) == FAILURE
    told = capsys.readouterr()
    assert not told.out
    assert "cannot be read" in told.err
