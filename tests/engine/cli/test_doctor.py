"""``magi doctor``, for programs and for people."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
import torch

from magi_engine.cli.main import main


def test_doctor_tries_everything_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["doctor", "--json", "--models-dir", str(tmp_path)]) == 0
    findings = {(f["topic"], f["name"]): f for f in json.loads(capsys.readouterr().out)}
    assert findings["Versions", "torch"]["detail"] == torch.__version__
    assert findings["Devices", "cpu"]["works"]
    assert findings["Devices", "fp8 on cpu"]["works"]
    assert findings["Devices", "math attention on cpu"]["works"]
    assert findings["Output", "mp4"]["works"]
    written = [name for topic, name in findings if topic == "Output"]
    assert written == ["mp4", "webm", "gif", "webp", "PNG frames"]
    assert all(findings["Output", name]["works"] for name in written)
    missing = findings["Models", "4.5B-base"]
    assert not missing["works"]
    assert "transformer" in missing["detail"]


def test_doctor_for_people(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["doctor", "--models-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    for word in ("Versions", "Devices", "Memory and disk", "Output", "Models", "pocket"):
        assert word in out


def test_a_machine_without_room_for_temporary_files_is_examined_all_the_same(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert main(["doctor", "--json", "--models-dir", str(tmp_path)]) == 0
    findings = {(f["topic"], f["name"]): f for f in json.loads(capsys.readouterr().out)}
    assert not findings["Output", "mp4"]["works"]
    assert "gone" in findings["Output", "mp4"]["detail"]
    assert ("Models", "pocket") in findings
