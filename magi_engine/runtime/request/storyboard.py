"""Storyboards: prompts with the times they begin at, as text, SRT or CSV.

As text, a line for each prompt, with how it begins if it does not simply go on::

    # Lines that begin with # are notes.
    0:00 a red ball rolls over a table
    0:04 new one: a blue cube slides over the table
    0:08 cut: a lighthouse in a storm

SRT holds the same texts as subtitles, CSV in the columns ``start``, ``transition``, ``prompt``,
of which the second may be missing. Its first line may say what the columns are.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from magi_engine.errors import InvalidRequestError, folder_error
from magi_engine.runtime.request.length import LengthPlan
from magi_engine.runtime.request.request import PromptChange
from magi_engine.sampling.schedule import Transition
from magi_engine.text_file import read_text

SUFFIXES = (".txt", ".srt", ".csv")

_MAX_BYTES = 4 << 20
_TIME = r"(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,6}(?:[.,]\d{1,9})?)"
_LINE = re.compile(rf"{_TIME}\s+(.*)")
_SRT_TIMES = re.compile(rf"{_TIME}\s*-->\s*{_TIME}.*")
_COLUMNS = ("start", "transition", "prompt")
_HEADS = (list(_COLUMNS), ["start", "prompt"])
_EXAMPLES = {
    ".txt": "0:04 a red ball, or 0:04 cut: a red ball",
    ".srt": "00:00:04,000 --> 00:00:08,000, and below it cut: a red ball",
    ".csv": "0:04,cut,a red ball",
}
_BY_NAME = {transition.value: transition for transition in Transition}
_WORDS = frozenset(
    {"cu", "cult", "curt", "cute", "now one", "new lace", "new pace", "new palace", "new plate"}
    | {f"new {word}" for word in ("bone", "cone", "ode", "ore", "tone", "zone")}
)
"""What is one letter from a transition and yet is no misspelt one."""
_SHORT = 5
"""Letters of a transition that becomes another word too easily by another letter."""
_LAST_SHOT_S = 4.0
"""How long the last subtitle of an SRT file is shown."""


@dataclass(frozen=True)
class Shot:
    """A prompt, when it begins in the video, and what it takes over from what was before."""

    start_s: float
    text: str
    transition: Transition = Transition.GO_ON


def read_storyboard(path: Path) -> list[Shot]:
    """The shots of a file, in the order of their times.

    Raises:
        InvalidRequestError: it cannot be read, holds no shot, or a line is none; says which.
    """
    suffix = path.suffix.lower()
    parse = {".srt": _from_srt, ".csv": _from_csv}.get(suffix, _from_text)
    try:
        if path.is_dir():
            raise folder_error(InvalidRequestError, path)
        shots = sorted(parse(read_text(path, _MAX_BYTES)), key=lambda shot: shot.start_s)
    except FileNotFoundError as error:
        raise InvalidRequestError(
            "There is no file {path}.", "Check the name and the folder.", path=path
        ) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidRequestError(
            "The storyboard {path} cannot be read.", "Save it as text in UTF-8.", path=path
        ) from error
    if not shots:
        raise InvalidRequestError(
            "There is no prompt in {path}.",
            "Begin with a line such as: {example}",
            path=path,
            example="0:00,a red ball" if suffix == ".csv" else "0:00 a red ball",
        )
    return shots


def written_storyboard(shots: Iterable[Shot], suffix: str) -> str:
    """The shots as a file of that suffix, which :func:`read_storyboard` reads again."""
    shots = list(shots)
    if suffix == ".csv":
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows((_clock(s.start_s), s.transition.value, s.text) for s in shots)
        return table.getvalue()
    if suffix == ".srt":
        ends = [shot.start_s for shot in shots[1:]] + [shots[-1].start_s + _LAST_SHOT_S]
        return "\n".join(
            f"{number}\n{_srt_clock(shot.start_s)} --> {_srt_clock(end)}\n{_named(shot)}\n"
            for number, (shot, end) in enumerate(zip(shots, ends, strict=True), 1)
        )
    return "".join(f"{_clock(shot.start_s)} {_named(shot)}\n" for shot in shots)


def prompts_of(shots: Iterable[Shot], length: LengthPlan, fps: float) -> tuple[PromptChange, ...]:
    """The prompts of the chunks that begin nearest to the times of the shots.

    Raises:
        InvalidRequestError: none begins at 0, or two fall on the same chunk.
    """
    prompts: dict[int, PromptChange] = {}
    for shot in shots:
        chunk = length.chunk_near(round(shot.start_s * fps))
        if chunk in prompts:
            raise InvalidRequestError(
                "The prompts at {start:g} s and the one before it fall on the same part of the "
                "video.",
                "Leave at least {chunk:.2g} s between them.",
                start=shot.start_s,
                chunk=length.chunk_frames / fps,
            )
        prompts[chunk] = PromptChange(chunk, shot.text, shot.transition)
    if 0 not in prompts:
        raise InvalidRequestError("The storyboard does not begin at 0:00.", "Add a line for it.")
    return tuple(prompts.values())


def shots_of(prompts: Iterable[PromptChange], length: LengthPlan, fps: float) -> Iterator[Shot]:
    """The other way: when each prompt begins."""
    for change in prompts:
        start_s = length.frames_of(change.chunk).start / fps
        yield Shot(start_s, change.text, change.transition)


def _from_text(text: str) -> Iterator[Shot]:
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if not (match := _LINE.fullmatch(line)):
            raise _no_shot(number, line, ".txt")
        yield _shot(match.groups(), match[4])


def _from_srt(text: str) -> Iterator[Shot]:
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = block.split("\n")
        times = next((i for i, line in enumerate(lines) if "-->" in line), None)
        match = None if times is None else _SRT_TIMES.fullmatch(lines[times].strip())
        if times is None or match is None:
            raise _no_shot(text[: text.find(block)].count("\n") + 1, lines[0], ".srt")
        yield _shot(match.groups(), " ".join(line.strip() for line in lines[times + 1 :]))


def _from_csv(text: str) -> Iterator[Shot]:
    rows = [(number, row) for number, row in enumerate(csv.reader(io.StringIO(text)), 1) if row]
    if len(rows) > 1 and _is_title(rows[0][1][0]):
        del rows[0]
    for number, row in rows:
        if [cell.strip().lower() for cell in row] in _HEADS:
            continue
        match = re.fullmatch(_TIME, row[0].strip())
        named = len(row) == len(_COLUMNS) and row[1].strip().lower() in (*_BY_NAME, "")
        if match is None or not (named or len(row) == 2):
            raise _no_shot(number, ",".join(row), ".csv")
        transition = _BY_NAME.get(row[1].strip().lower()) if named else None
        yield Shot(_seconds(match.groups()), row[-1].strip(), transition or Transition.GO_ON)


def _is_title(cell: str) -> bool:
    """Whether it says what a column holds; what has a digit is rather a misspelt time."""
    return any(map(str.isalpha, cell)) and not any(map(str.isdigit, cell))


def _shot(time: tuple[str | None, ...], text: str) -> Shot:
    transition = _transition_of(text)
    if transition is None:
        if _is_misspelt(text):
            raise InvalidRequestError(
                "No known transition begins “{text}”.",
                "Known are: {names}. A prompt that is to begin like that has one of them before "
                "it, such as: go on: {text}",
                text=text[:80],
                names=list(_BY_NAME),
            )
        return Shot(_seconds(time), text.strip())
    return Shot(_seconds(time), text.partition(":")[2].strip(), transition)


def _transition_of(text: str) -> Transition | None:
    return _BY_NAME.get(_name_before(text))


def _is_misspelt(text: str) -> bool:
    """Whether a transition was meant that differs in one letter, or in what is between words."""
    said = " ".join(re.split(r"[\s_-]+", _name_before(text)))
    if said in _WORDS:
        return False
    return any(
        said.replace(" ", "") == name.replace(" ", "") or _is_one_slip(said, name)
        for name in _BY_NAME
    )


def _is_one_slip(said: str, name: str) -> bool:
    """Whether a letter is missing, too many, or exchanged with the next, or is another one."""
    for place, letter in enumerate(f"{name} "):
        before, after = said[:place], said[place:]
        mended = [before + letter + after, before + after[1:], before + after[1::-1] + after[2:]]
        if len(name) > _SHORT:
            mended.append(before + letter + after[1:])
        if name in mended:
            return True
    return False


def _name_before(text: str) -> str:
    """What stands where a transition may; an empty text if no colon follows."""
    name, colon, _ = text.partition(":")
    return name.strip().lower() if colon else ""


def _seconds(time: tuple[str | None, ...]) -> float:
    hours, minutes, seconds = time[:3]
    return (
        int(hours or 0) * 3600 + int(minutes or 0) * 60 + float((seconds or "0").replace(",", "."))
    )


def _named(shot: Shot) -> str:
    text = " ".join(shot.text.split())
    # A prompt may be empty, or itself begin with the name of a transition, or nearly so.
    is_plain = bool(text) and _transition_of(text) is None and not _is_misspelt(text)
    if is_plain and shot.transition is Transition.GO_ON:
        return text
    return f"{shot.transition.value}: {text}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"{minutes}:{rest / 1000:06.3f}".removesuffix(".000")


def _srt_clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02},{rest % 1000:03}"


def _no_shot(line: int, text: str, suffix: str) -> InvalidRequestError:
    return InvalidRequestError(
        "Line {line} of the storyboard is no time with a prompt: “{text}”.",
        "Write it as: {example}",
        line=line,
        text=text[:80],
        example=_EXAMPLES[suffix],
    )
