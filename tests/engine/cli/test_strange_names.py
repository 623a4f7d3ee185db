"""Names and prompts that are not UTF-8 or too long, numbers that are none, streams and folders that
are gone: a sentence each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from magi_engine.cli.main import main
from magi_engine.runtime.request.request import GenerationRequest, Mode

_LONG = "n" * 300
_DEEP = "d/" * 3000 + "a.mp4"
_STRANGE = "n\udcff"


@pytest.mark.skipif(sys.platform != "linux", reason="names are UTF-8 or UTF-16 elsewhere")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["generate", "--prompt", _STRANGE], "The prompt holds bytes that are not UTF-8."),
        (["generate", "--config", _STRANGE], "There is no configuration file n\\udcff."),
        (["recover", _STRANGE], "The folder n\\udcff cannot be read."),
        (["settings-of", _STRANGE], "There is no file n\\udcff."),
        (["settings-of", _LONG], "is too long. Choose a shorter one."),
        (["generate", "--like", _DEEP], "The name a.mp4 is too long."),
        (["generate", "-o", _LONG + ".mp4"], "is too long. Choose a shorter one."),
        (["models", "list", "--models-dir", _LONG], "is too long. Choose a shorter one."),
        (["generate", "--seconds", "nan"], "'nan' is not a number"),
        (["generate", "--text-scales", "inf"], "'inf' is not a number"),
        (["generate", "--crop", "0,0,nan,9"], "'nan' is not a number"),
        (["generate", "--size", "99999999999x16"], "too large"),
    ],
    ids=range(12),
)
def test_it_is_said(
    arguments: Sequence[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err.encode("utf-8", "backslashreplace").decode()
    assert sentence in said
    assert "unexpected" not in said


def test_a_name_that_is_not_utf_8_survives_in_the_settings() -> None:
    request = GenerationRequest(Mode.T2V, "pocket", 64, 64, 24, output="n\udcff.mp4")
    text = request.to_json()
    assert json.loads(text.encode())["output"] == "n\udcff.mp4"
    assert GenerationRequest.from_json(text) == request


@pytest.mark.skipif(sys.platform == "win32", reason="a folder in use stays there")
def test_a_folder_that_is_gone_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for arguments in (["generate", "--prompt", "x"], ["doctor"], ["settings-of", "a.mp4"]):
        assert main(arguments) == 2
        assert "The current folder is gone." in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="closes streams as POSIX does")
@pytest.mark.parametrize("closed", [[2], [0, 1, 2]])
def test_streams_that_are_missing_do_not_matter(closed: list[int]) -> None:
    def close() -> None:
        for number in closed:
            os.close(number)

    for arguments, code in ((["models", "list"], 0), (["settings-of", "none.mp4"], 2)):
        command = [sys.executable, "-c", "from magi_engine.__main__ import run; run()", *arguments]
        assert subprocess.run(command, stdout=subprocess.PIPE, preexec_fn=close).returncode == code


@pytest.mark.skipif(sys.platform == "win32", reason="pipes are another thing there")
def test_a_reader_that_has_gone_is_no_reason_for_a_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "magi_engine", "models", "list"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert done.returncode == 1
    assert done.stderr == ""
