"""Storyboards in and out, and what is no storyboard."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from magi_engine.config.official import RuntimeConfig
from magi_engine.errors import InvalidRequestError
from magi_engine.runtime.request.length import LengthPlan
from magi_engine.runtime.request.request import Mode, PromptChange
from magi_engine.runtime.request.storyboard import (
    SUFFIXES,
    Shot,
    prompts_of,
    read_storyboard,
    shots_of,
    written_storyboard,
)
from magi_engine.sampling.schedule import Transition

SHOTS = [
    Shot(0.0, "a red ball rolls over a table"),
    Shot(4.0, "a blue cube, “quick”, slides", Transition.NEW_ONE),
    Shot(8.5, "圆 in a storm: waves", Transition.CUT),
    Shot(3700.25, "cut: a word that is a name too"),
    Shot(3704.0, "New One: in any letters"),
    Shot(3708.0, "cut it in two"),
    Shot(3709.0, "cute: a puppy"),
    Shot(3712.0, ""),
    Shot(3716.0, "", Transition.CUT),
]


def length(frames: int | None = 240, prefix: int = 0) -> LengthPlan:
    mode = Mode.V2V if prefix else Mode.T2V
    runtime = RuntimeConfig(chunk_width=6, temporal_downsample_factor=4)
    return LengthPlan.of(mode, frames, prefix, runtime)


def saved(tmp_path: Path, text: str, suffix: str = ".txt", encoding: str = "utf-8") -> Path:
    path = tmp_path / f"board{suffix}"
    path.write_text(text, encoding=encoding, newline="")
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_is_read_again(tmp_path: Path, suffix: str) -> None:
    assert read_storyboard(saved(tmp_path, written_storyboard(SHOTS, suffix), suffix)) == SHOTS


def test_as_people_write_it(tmp_path: Path) -> None:
    text = "\ufeff# a note\r\n\r\n0 a ball\r\n  0:04.5  New One: a cube\r\n1:02:03 CUT:waves\r\n"
    assert read_storyboard(saved(tmp_path, text)) == [
        Shot(0.0, "a ball"),
        Shot(4.5, "a cube", Transition.NEW_ONE),
        Shot(3723.0, "waves", Transition.CUT),
    ]
    assert read_storyboard(saved(tmp_path, "0:00 a ball\n", encoding="utf-16")) == [
        Shot(0, "a ball")
    ]
    subtitles = (
        "1\n00:00:00,000 --> 00:00:04,000\na ball\nrolls\n\n"
        "2\n00:00:04,000 --> 00:00:08,000 X1:5\ncut: waves\n"
    )
    assert read_storyboard(saved(tmp_path, subtitles, ".srt")) == [
        Shot(0.0, "a ball rolls"),
        Shot(4.0, "waves", Transition.CUT),
    ]
    table = 'Start,Transition,Prompt\n0:00,,"a ball, red"\n4,cut,waves\n0:08,rain\n'
    assert read_storyboard(saved(tmp_path, table, ".csv")) == [
        Shot(0.0, "a ball, red"),
        Shot(4.0, "waves", Transition.CUT),
        Shot(8.0, "rain"),
    ]
    for heads in ("start,prompt", "time,prompt", "Time (s),What is seen", "\n时间,提示词"):
        table = f"{heads}\r\n00:00:00,a ball\r\n"
        assert read_storyboard(saved(tmp_path, table, ".csv")) == [Shot(0.0, "a ball")], heads


@pytest.mark.parametrize(
    ("text", "suffix", "says"),
    [
        ("a ball\n", ".txt", "Line 1"),
        ("0:00 a ball\nsoon: a cube\n", ".txt", "Line 2"),
        ("", ".txt", "no prompt in .* Begin with a line such as: 0:00 a red ball$"),
        ("# only a note\n", ".txt", "no prompt"),
        ("1\na ball\n", ".srt", "Line 1"),
        ("1\r\n0:00 --> 0:04\r\na ball\r\n\r\n2\r\na cube\r\n", ".srt", "Line 5"),
        ("0:00,jump,a ball\n", ".csv", "Line 1"),
        ("0:00\n", ".csv", "Line 1"),
        ("time,prompt\n", ".csv", "Line 1"),
        ("0:0O,a ball\n0:04,a cube\n", ".csv", "Line 1"),
        (",a ball\n0:04,a cube\n", ".csv", "Line 1"),
        ("0:00,a ball\nsoon,a cube\n0:08,rain\n", ".csv", "Line 2"),
        ("start,prompt\nsoon,a ball\n0:04,a cube\n", ".csv", "Line 2"),
        ("", ".csv", "no prompt in .* Begin with a line such as: 0:00,a red ball$"),
        ('0:00,,"' + "a" * 200_000, ".csv", "cannot be read"),
    ],
)
def test_what_is_none_is_said(tmp_path: Path, text: str, suffix: str, says: str) -> None:
    with pytest.raises(InvalidRequestError, match=says):
        read_storyboard(saved(tmp_path, text, suffix))


_MISSPELT = (
    "cutt, ct, Cuts, ctu, newone, new palce, new plce, New_Place, new onr, go-on, go  on, g on"
)


@pytest.mark.parametrize("name", _MISSPELT.split(", "))
def test_a_misspelt_transition_is_no_part_of_the_prompt(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"“{name}: a ball”") as caught:
        read_storyboard(saved(tmp_path, f"0:00 a cube\n0:01 {name}: a ball\n"))
    assert "go on, new place, new one, cut" in str(caught.value.hint)
    with pytest.raises(InvalidRequestError, match=f"“{name}: a ball”"):
        read_storyboard(saved(tmp_path, f"1\n0:00 --> 0:04\n{name}: a ball\n", ".srt"))


_PROMPTS = """\
a cat: asleep
act one: rain
noon: a square
cutt a ball
cute: a puppy
Cult: robes in a wood
CU: a face
nut: a squirrel
good: a dog
go down: a lift
so on: and on
new zone: a fence
New Palace: a garden
"""


@pytest.mark.parametrize("text", _PROMPTS.splitlines())
def test_a_prompt_with_a_colon_stays_a_prompt(tmp_path: Path, text: str) -> None:
    assert read_storyboard(saved(tmp_path, f"0:00 {text}\n")) == [Shot(0.0, text)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_how_to_write_it_is_shown_for_the_kind_of_file(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_storyboard(saved(tmp_path, "a ball\n", suffix))
    assert "“a ball”." in str(caught.value.message)
    example = str(caught.value.hint).removeprefix("Write it as: ").split(", or ")[-1]
    text = example.replace(", and below it ", "\n")
    assert read_storyboard(saved(tmp_path, text, suffix)) == [
        Shot(4.0, "a red ball", Transition.CUT)
    ]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="There is no file"):
        read_storyboard(tmp_path / "gone.txt")
    with pytest.raises(InvalidRequestError) as caught:
        read_storyboard(tmp_path)
    assert str(caught.value) == f"{tmp_path} is a folder, not a file. Choose a file in it."
    (tmp_path / "binary.txt").write_bytes(bytes(range(128, 256)))
    with pytest.raises(InvalidRequestError, match="UTF-8"):
        read_storyboard(tmp_path / "binary.txt")


@pytest.mark.parametrize("seed", range(30))
def test_rubbish_raises_nothing_else(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    words = ["0:00", "-->", "cut:", ",", '"', "\n", "\n\n", "9" * 400, "ball", ":", "\x00", "1\n"]
    text = " ".join(rng.choice(words) for _ in range(rng.randrange(40)))
    for suffix in SUFFIXES:
        try:
            read_storyboard(saved(tmp_path, text, suffix))
        except InvalidRequestError:
            continue


def test_a_shot_goes_to_the_chunk_that_begins_nearest() -> None:
    shots = [Shot(0, "a"), Shot(1.4, "b"), Shot(2.6, "c", Transition.CUT)]
    assert prompts_of(shots, length(), 24) == (
        PromptChange(0, "a"),
        PromptChange(1, "b"),
        PromptChange(3, "c", Transition.CUT),
    )
    # After a clip of 8 latent frames the first chunk has 16 frames.
    late = [Shot(0, "a"), Shot(16 / 24, "b"), Shot(40 / 24, "c")]
    assert [p.chunk for p in prompts_of(late, length(prefix=8), 24)] == [0, 1, 2]


@pytest.mark.parametrize("prefix", [0, 8])
def test_chunks_to_times_and_back(prefix: int) -> None:
    changes = tuple(PromptChange(chunk, str(chunk)) for chunk in (0, 1, 2, 5, 9))
    plan = length(prefix=prefix)
    assert prompts_of(shots_of(changes, plan, 24), plan, 24) == changes


def test_shots_without_a_place() -> None:
    with pytest.raises(InvalidRequestError, match="same part"):
        prompts_of([Shot(0, "a"), Shot(0.4, "b")], length(), 24)
    with pytest.raises(InvalidRequestError, match="0:00"):
        prompts_of([Shot(4, "a")], length(), 24)


def test_each_frame_has_its_nearest_chunk() -> None:
    for prefix, frame in itertools.product((0, 8), range(200)):
        plan = length(prefix=prefix)
        starts = [plan.frames_of(chunk).start for chunk in range(12)]
        best = min(abs(start - frame) for start in starts)
        assert abs(starts[plan.chunk_near(frame)] - frame) == best
