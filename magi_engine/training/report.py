"""From the outcomes of trials to the table: shares and means with their uncertainty."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from magi_engine.errors import InvalidRequestError
from magi_engine.training.trials import Row

#: Two-sided 95 % quantile of the normal distribution.
_Z = 1.959964


@dataclass(frozen=True)
class Setting:
    """How the model was run; results of different settings are never mixed."""

    model: str
    steps: int
    window: int


@dataclass(frozen=True)
class Result:
    """The outcome of one trial, as it is kept in a file.

    Attributes:
        row: name of the row; ``index`` and ``seed`` say which of its trials.
        values, found: see ``Outcome``.
    """

    row: str
    index: int
    seed: int
    prompt: str
    next_prompt: str | None
    values: dict[str, float]
    found: str

    @property
    def key(self) -> tuple[str, int, int]:
        """What makes a trial the same trial."""
        return self.row, self.index, self.seed


@dataclass(frozen=True)
class Measure:
    """One line of the table.

    Attributes:
        name: which of the ``values`` of the row's outcomes.
        title: what the reader is told.
        target: what it has to reach, or None where nothing was promised.
        unit: "%" for shares and errors, "dB".
        share: whether the values are yes or no.
        at_most: whether less is better.
        digits: after the decimal point.
    """

    row: Row
    name: str
    title: str
    target: float | None = None
    unit: str = "%"
    share: bool = True
    at_most: bool = False
    digits: int = 1

    @property
    def scale(self) -> float:
        """From values to ``unit``."""
        return 100.0 if self.unit == "%" else 1.0

    def missed(self, value: float) -> bool:
        """Whether a trial with this value is one that went wrong."""
        if self.target is None:
            return False
        if self.share:
            return value == 0
        return value > self.target if self.at_most else value < self.target


MEASURES: tuple[Measure, ...] = (
    Measure(Row.T2V, "colour", "t2v: colour as asked", 0.95),
    Measure(Row.T2V, "shape", "t2v: shape as asked", 0.90),
    Measure(Row.T2V, "background", "t2v: background as asked", 0.95),
    Measure(Row.T2V, "motion", "t2v: motion as asked", 0.90),
    Measure(Row.T2V, "count", "t2v: number of objects as asked"),
    Measure(
        Row.T2V,
        "fourth",
        "t2v: frame differences where latent frames meet",
        1.1,
        unit="times those within",
        share=False,
        at_most=True,
        digits=2,
    ),
    Measure(
        Row.T2V,
        "border",
        "t2v: frame differences where chunks meet",
        1.15,
        unit="times those of latent frames",
        share=False,
        at_most=True,
        digits=2,
    ),
    Measure(
        Row.T2V,
        "flicker",
        "t2v: colour in the first and last frame of each half second",
        2.0,
        unit="levels off",
        share=False,
        at_most=True,
    ),
    Measure(
        Row.T2V,
        "shimmer",
        "t2v: change of the backdrop from frame to frame",
        0.5,
        unit="levels",
        share=False,
        at_most=True,
        digits=2,
    ),
    Measure(Row.PAIR, "colour", "two objects: both colours", 0.95),
    Measure(Row.PAIR, "shape", "two objects: both shapes", 0.85),
    Measure(Row.PAIR, "motion", "two objects: both motions", 0.85),
    Measure(Row.CIRCLE, "circling", "what is to circle circles"),
    Measure(Row.CIRCLE, "sense", "the right way round, if it circles", 0.95),
    Measure(
        Row.I2V, "psnr", "i2v: first frame equals the image (PSNR)", 28.0, unit="dB", share=False
    ),
    Measure(Row.I2V, "psnr good", "i2v: first frame at 28 dB or more"),
    Measure(Row.I2V, "same object", "i2v: same object after 4 chunks", 0.95),
    Measure(Row.I2V, "size", "i2v: its size within a tenth"),
    Measure(
        Row.V2V, "error", "v2v: error of the centre after 1 s", 0.06, share=False, at_most=True
    ),
    Measure(Row.V2V, "error straight", "v2v: the same, straight", 0.06, share=False, at_most=True),
    Measure(Row.V2V, "error bouncing", "v2v: the same, bouncing", 0.06, share=False, at_most=True),
    Measure(Row.LONG, "present", "10 chunks: object there with its colour", 0.95),
    Measure(Row.CHANGE, "followed", "changed prompt followed within one chunk", 0.80),
    Measure(Row.CHANGE, "followed colour", "changed colour followed"),
    Measure(Row.CHANGE, "followed direction", "changed direction followed"),
    Measure(Row.BACKDROP, "followed", "changed background followed", 0.95),
    Measure(Row.BACKDROP, "object kept", "the object is the same on it"),
    Measure(Row.AT_ONCE, "followed", "prompt given at once followed within one chunk", 0.90),
    Measure(Row.NEW_PLACE, "object", "same one, new place: the object is the same", 0.80),
    Measure(Row.NEW_PLACE, "background", "same one, new place: the place is new"),
    Measure(Row.NEW_PLACE, "alone", "same one, new place: there is no second one"),
    Measure(Row.NEW_ONE, "background", "same place, new one: the place is the same", 0.80),
    Measure(Row.NEW_ONE, "object", "same place, new one: the object is new"),
    Measure(Row.CUT, "both", "cut: object and place are new", 0.80),
    Measure(Row.MINUTE, "present", "60 chunks: object there with its colour", 0.95),
    Measure(Row.MINUTE, "size", "60 chunks: its size within a tenth", 0.95),
    Measure(Row.MINUTE, "moving", "60 chunks: still bouncing or circling as asked", 0.95),
    Measure(
        Row.MINUTE,
        "noisier",
        "60 chunks: noise of frame 1,400 over that of frame 100",
        1.0,
        unit="dB",
        share=False,
        at_most=True,
    ),
)


def wilson(right: int, count: int) -> tuple[float, float]:
    """95 % confidence interval of a share, ``right`` of ``count`` > 0 (Wilson's score)."""
    share = right / count
    centre = share + _Z**2 / (2 * count)
    spread = _Z * math.sqrt(share * (1 - share) / count + (_Z / (2 * count)) ** 2)
    scale = 1 + _Z**2 / count
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % confidence interval of the mean, from the standard error; a point for one value."""
    count = len(values)
    mean = math.fsum(values) / count
    if count == 1:
        return mean, mean
    variance = math.fsum((v - mean) ** 2 for v in values) / (count - 1)
    spread = _Z * math.sqrt(variance / count)
    return mean - spread, mean + spread


def table(results: Iterable[Result], setting: Setting) -> str:
    """The table in Markdown: a line for each measure of the rows there are."""
    results = list(results)
    lines = [
        f"| {setting.model}, {setting.steps} steps, window {setting.window} | target | measured "
        "| 95 % interval | prompts |",
        "|---|---|---|---|---|",
    ]
    for measure in MEASURES:
        values = [
            r.values[measure.name]
            for r in results
            if r.row == measure.row.value and measure.name in r.values
        ]
        if values:
            lines.append(_line(measure, values))
    return "\n".join(lines)


def _line(measure: Measure, values: Sequence[float]) -> str:
    mean = math.fsum(values) / len(values)
    low, high = wilson(round(sum(values)), len(values)) if measure.share else mean_interval(values)
    target, verdict = "", ""
    if measure.target is not None:
        sign = "<=" if measure.at_most else ">="
        target = f"{sign} {measure.target * measure.scale:g} {measure.unit}"
        reached = mean <= measure.target if measure.at_most else mean >= measure.target
        verdict = "" if reached else " (missed)"
    measured = f"{mean * measure.scale:.{measure.digits}f} {measure.unit}{verdict}"
    low, high = (f"{end * measure.scale:.{measure.digits}f}" for end in (low, high))
    interval = f"{low} to {high}"
    return f"| {measure.title} | {target} | {measured} | {interval} | {len(values)} |"


def wrong_cases(results: Iterable[Result]) -> list[str]:
    """A line for every trial that missed something promised: what was asked, what was seen."""
    lines = []
    for result in sorted(results, key=lambda r: r.key):
        missed = [
            m.name
            for m in MEASURES
            if m.row.value == result.row
            and m.name in result.values
            and m.missed(result.values[m.name])
        ]
        if missed:
            asked = result.prompt
            if result.next_prompt is not None:
                asked += f" -> {result.next_prompt}"
            lines.append(
                f"{result.row} {result.index} ({', '.join(missed)}): {asked}\n    {result.found}"
            )
    return lines


def save_results(path: Path, setting: Setting, results: Iterable[Result]) -> None:
    """Keep results in a file, to be merged with others later."""
    content = {"setting": asdict(setting), "results": [asdict(r) for r in results]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def merge_results(paths: Iterable[Path]) -> tuple[Setting, list[Result]]:
    """The results of several files; of the same trial, that of the last file counts.

    Raises:
        InvalidRequestError: a file holds no results, or they were measured differently.
    """
    setting: Setting | None = None
    merged: dict[tuple[str, int, int], Result] = {}
    for path in paths:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            measured = Setting(**content["setting"])
            results = [Result(**r) for r in content["results"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidRequestError(
                "{path} holds no results of an evaluation.",
                "Give files written with --json.",
                path=path,
            ) from error
        if setting is not None and measured != setting:
            raise InvalidRequestError(
                "{path} was measured with {measured}, the others with {setting}.",
                "Merge only results of one model and one setting.",
                path=path,
                measured=measured,
                setting=setting,
            )
        setting = measured
        merged |= {r.key: r for r in results}
    if setting is None:
        raise InvalidRequestError("There is nothing to merge.", "Give at least one file.")
    return setting, list(merged.values())
