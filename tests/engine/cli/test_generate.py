"""``magi generate``: what it makes and says, and how its options reach the request."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from magi_engine.cli.main import build_parser
from magi_engine.cli.request_options import add_request_options, build_request
from magi_engine.media.writer import WriteOptions
from magi_engine.runtime.request.metadata import read_request
from magi_engine.runtime.request.request import Mode, PromptChange
from tests.engine.cli.outcomes import Generate
from tests.engine.runtime.outcomes import frame_count


def test_an_empty_prompt_is_one() -> None:
    request = build_request(build_parser().parse_args(["generate", "--prompt", ""]))
    assert request.prompts == (PromptChange(0, ""),)


def test_generate_writes_the_file_and_says_so(
    generate: Generate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--prompt", "a red circle", "--seconds", "1.5", "--seed", "4", "-o", "a.mp4"]
    assert generate(*options) == 0
    err = capsys.readouterr().err
    assert f"Saved {tmp_path / 'a.mp4'} (36 frames" in err
    assert "Chunk 2 of 2 is ready, 36 frames" in err
    assert frame_count(tmp_path / "a.mp4") == 36
    request = read_request(tmp_path / "a.mp4")
    assert (request.mode, request.seed, request.prompt) == (Mode.T2V, 4, "a red circle")


def test_the_default_name_says_what_is_in_the_video(generate: Generate, tmp_path: Path) -> None:
    for _ in range(2):
        assert (
            generate("--prompt", "A red  circle, moving!", "--seconds", "0.1", "--seed", "4") == 0
        )
    names = {path.name for path in tmp_path.glob("*.mp4")}
    assert names == {"A-red-circle-moving-4.mp4", "A-red-circle-moving-4-2.mp4"}


def test_seconds_count_at_the_frame_rate_that_was_asked_for(
    generate: Generate, tmp_path: Path
) -> None:
    assert generate("--prompt", "x", "--seconds", "1", "--fps", "12", "-o", "a.mp4") == 0
    assert generate("--like", "a.mp4", "--seconds", "2", "-o", "b.mp4") == 0
    assert frame_count(tmp_path / "a.mp4") == 12
    assert frame_count(tmp_path / "b.mp4") == 24


def test_the_usual_length_is_one_of_seconds() -> None:
    parser = argparse.ArgumentParser()
    add_request_options(parser)
    for fps, frames in ((12, 48), (24, 96), (60, 240)):
        options = parser.parse_args(["--prompt", "x", "--fps", str(fps)])
        assert build_request(options).num_frames == frames


def test_without_a_seed_every_video_is_another(generate: Generate, tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        assert generate("--prompt", "x", "--seconds", "0.1", "-o", name) == 0
    assert read_request(tmp_path / "a.mp4").seed != read_request(tmp_path / "b.mp4").seed


def test_image_and_video_choose_the_mode(
    generate: Generate, tmp_path: Path, image: Path, clip: Path
) -> None:
    assert generate("--image", "image.png", "--seconds", "1", "-o", "i.mp4") == 0
    options = ["--video", "clip.mp4", "--seconds", "1", "--clip", "0-1", "--prepend-source"]
    assert generate(*options, "-o", "v.mp4") == 0
    assert frame_count(tmp_path / "i.mp4") == 24
    assert frame_count(tmp_path / "v.mp4") == 48
    request = read_request(tmp_path / "v.mp4")
    assert (request.mode, request.reference) == (Mode.V2V, str(clip))


def test_options_reach_the_request(generate: Generate, tmp_path: Path, image: Path) -> None:
    assert (
        generate(
            *("--image", "image.png", "--fit", "pad", "--crop", "1,2,30,20", "--size", "32x48"),
            *("--steps", "8", "--window", "1", "--kv-range", "2,1"),
            *("--special-tokens", "hq,STATIC_FIRST_FRAMES_TOKEN", "--crf", "55"),
            *("--clean-kv-range", "-1"),
            *("--prompt", "x", "--prompt-at", "2", "y", "--seconds", "1.2", "-o", "a.webm"),
        )
        == 0
    )
    request = read_request(tmp_path / "a.webm")
    assert (request.width, request.height, request.num_frames) == (32, 48, 29)
    assert request.prompts == (PromptChange(0, "x"), PromptChange(1, "y"))
    assert (request.sampling.num_steps, request.sampling.window_size) == (8, 1)
    assert request.sampling.noise2clean_kvrange == (2, 1)
    assert request.sampling.clean_chunk_kvrange == -1
    assert request.special_tokens == ("HQ_TOKEN", "STATIC_FIRST_FRAMES_TOKEN")
    assert request.fit.value == "pad"
    assert request.crop is not None
    assert request.crop.width == 30
    assert request.writing == WriteOptions(vp9_crf=55), "what MP4 cannot have, WebM can"


def test_guidance_reaches_the_request_of_a_base_model() -> None:
    options = ["--prompt", "x", "--model", "4.5B-base", "--text-scales", "3"]
    request = build_request(build_parser().parse_args(["generate", *options]))
    assert request.sampling.text_scales == (3.0,)


def test_how_many_cards_are_asked_for() -> None:
    parser = argparse.ArgumentParser()
    add_request_options(parser)
    asked = [parser.parse_args(given).cards for given in ([], ["--gpus", "2"], ["--gpus", "all"])]
    assert asked == [None, 2, 0]
    for wrong in ("0", "-1", "two"):
        with pytest.raises(SystemExit):
            parser.parse_args(["--gpus", wrong])


def test_a_long_prompt_is_cut_and_said_so(
    generate: Generate, capsys: pytest.CaptureFixture[str]
) -> None:
    prompt = "red circle " * 5000
    assert generate("--prompt", prompt, "--seconds", "0.1", "-o", "a.mp4", "--quiet") == 0
    assert "only the first 800 of them count" in capsys.readouterr().err


def test_an_empty_prompt_is_allowed(generate: Generate, tmp_path: Path) -> None:
    assert generate("--prompt", "", "--seconds", "0.1", "--seed", "3") == 0
    assert (tmp_path / "t2v-3.mp4").exists()


def test_what_is_printed_is_utf8_whatever_the_code_page(generate: Generate) -> None:
    prompt = "红色的球 🎈 rollt über den Tisch"
    assert generate("--prompt", prompt, "--seconds", "1", "-o", "a.mp4") == 0
    command = [sys.executable, "-P", "-m", "magi_engine", "settings-of", "a.mp4"]
    odd = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    done = subprocess.run(command, capture_output=True, env=odd)
    assert done.returncode == 0, done.stderr
    assert prompt in done.stdout.decode("utf-8")


def test_json_events_are_one_object_per_line(
    generate: Generate, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate("--json", "--prompt", "a red circle", "--seconds", "2", "-o", "a.mp4") == 0
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in out.splitlines()]
    assert err == ""
    assert [e["index"] for e in events if e["event"] == "chunk"] == [0, 1]
    assert events[-1]["event"] == "finished"
    assert events[-1]["frames"] == 48


def test_a_failure_is_an_event_too(generate: Generate, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate("--json", "--image", "absent.png", "-o", "a.mp4") == 2
    out, err = capsys.readouterr()
    last = json.loads(out.splitlines()[-1])
    assert (last["event"], last["error"]) == ("failed", "MediaReadError")
    assert err.startswith("Error: ")
