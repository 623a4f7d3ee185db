"""What is said is a text with values, and stays that wherever it goes."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from magi_engine.errors import DiskFullError, MagiError, message_of
from magi_engine.messages import NOTHING, Message, duration_words, either, in_sequence

_FULL = Message(
    "{path} needs {needed:bytes}: {what}.",
    path=Path("a{b"),
    needed=12_900_000_000,
    what=Message("room on the disk"),
)
_CHINESE = {
    _FULL.text: "{path} 需要 {needed:bytes}：{what}。",
    "room on the disk": "磁盘空间",
    ", ": "、",
    "{choices} or {last}": "{choices} 或 {last}",
    "{first} {second}": "{first}{second}",
}


def _in_chinese(text: str) -> str:
    return _CHINESE.get(text, text)


def test_values_are_filled_into_the_text_of_any_language() -> None:
    assert str(_FULL) == "a{b needs 12.9 GB: room on the disk."
    assert _FULL.rendered(_in_chinese) == "a{b 需要 12.9 GB：磁盘空间。"


def test_different_sizes_in_a_sentence_read_differently() -> None:
    said = Message("{needed:bytes} are needed; {free:bytes} are free.")
    for needed, free, words in (
        (0, 60_000, "0 MB are needed; 0.1 MB are free."),
        (140_000, 60_000, "0.14 MB are needed; 0.06 MB are free."),
        (9_000, 8_000, "0.009 MB are needed; 0.008 MB are free."),
        (31_204_000_000, 31_161_000_000, "31.20 GB are needed; 31.16 GB are free."),
        (100_000_000, 99_999_999, "0.1 GB are needed; 100.0 MB are free."),
        (6_111_731_394, 6_111_731_393, "6.1 GB are needed; 6.1 GB are free."),
        (2_000_000, 2_000_000, "2.0 MB are needed; 2.0 MB are free."),
        (3_000_000, 2_000_000, "3.0 MB are needed; 2.0 MB are free."),
    ):
        assert str(said.filled(needed=needed, free=free)) == words


def test_what_is_counted_agrees_with_its_number() -> None:
    said = Message("{count:video is|videos are} made before this one.", count=1)
    assert str(said) == "1 video is made before this one."
    assert str(said.filled(count=2)) == "2 videos are made before this one."
    assert (
        said.rendered(lambda _: "在此之前要先制作 {count} 个视频。")
        == "在此之前要先制作 1 个视频。"
    )


def test_a_form_of_a_newer_program_elsewhere_is_left_out() -> None:
    said = Message.from_dict(
        {"text": "{size:furlongs}, {n:one|two|few}", "values": {"size": 3, "n": 1}}
    )
    assert str(said) == "3, 1 one"


def test_a_text_without_values_may_hold_braces() -> None:
    assert str(Message("Use {} here")) == "Use {} here"


def test_sequences_and_choices_are_listed() -> None:
    assert str(Message("Known: {names}.", names=["a", "b"])) == "Known: a, b."
    assert [str(either(*"abc"[:n])) for n in (1, 2, 3)] == ["a", "a or b", "a, b or c"]
    assert either("a", "b", "c").rendered(_in_chinese) == "a、b 或 c"


def test_a_message_stays_the_same_over_a_channel_and_in_a_file() -> None:
    listed = Message("{all} {error}", all=(1, 2.5, _FULL), error=ValueError("x"))
    assert pickle.loads(pickle.dumps(listed)) == listed
    assert Message.from_dict(json.loads(json.dumps(listed.to_dict()))) == listed


def test_an_error_is_its_message_and_its_hint_and_keeps_both_when_it_is_pickled() -> None:
    error = DiskFullError("{path} is full.", "Free {needed:bytes}.", path=Path("x"), needed=2e9)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is DiskFullError
    assert (again.message, again.hint) == (error.message, error.hint)
    assert str(again) == "x is full. Free 2.0 GB."
    assert str(MagiError("It broke.")) == "It broke."
    assert message_of(error).rendered(_in_chinese) == "x is full.Free 2.0 GB."
    assert str(message_of(OSError("{no} text"))) == "{no} text"


def test_either_of_two_sentences_may_be_empty() -> None:
    assert str(in_sequence("One.", "Two.")) == "One. Two."
    assert in_sequence(_FULL, NOTHING) == in_sequence("", _FULL) == _FULL
    assert not in_sequence("", "")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1:00 min"),
        (185, "3:05 min"),
        (7800, "2:10 h"),
        (154_350, "42:52 h"),
        (1_313_730, "15 days"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words
