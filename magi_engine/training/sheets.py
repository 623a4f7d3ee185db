"""Contact sheets: a few frames of every trial with its prompt, for a person to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from magi_engine.training.tracking import Frames
from magi_engine.training.trials import Task

#: Pictures side by side.
_ACROSS = 12
_TEXT_HEIGHT = 16
_PAPER = (250, 250, 250)
_INK = (20, 20, 20)


@dataclass(frozen=True)
class Strip:
    """One line of a sheet: ``pictures`` (H, W, 3) side by side below ``text``."""

    text: str
    pictures: NDArray[np.uint8]


def make_strip(task: Task, frames: Frames, found: str) -> Strip:
    """Frames of the whole video at equal distances; a given image or clip's end in front."""
    given = task.image if task.image is not None else task.clip
    chosen = np.linspace(0, len(frames) - 1, _ACROSS).round().astype(int)
    pictures = list(frames[chosen])
    if given is not None:
        pictures.insert(0, given[-1])
    then = "" if task.next_prompt is None else f"  ->  {task.next_prompt}"
    return Strip(f"{task.prompt}{then}   [{found}]", np.concatenate(pictures, axis=1))


def save_sheet(path: Path, strips: Mapping[int, Strip]) -> None:
    """Write strips, numbered by their trials, below each other as a PNG."""
    from PIL import Image, ImageDraw

    width = max(strip.pictures.shape[1] for strip in strips.values())
    height = sum(strip.pictures.shape[0] + _TEXT_HEIGHT for strip in strips.values())
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    y = 0
    for number, strip in sorted(strips.items()):
        draw.text((4, y + 2), f"{number}: {strip.text}", fill=_INK)
        sheet.paste(Image.fromarray(strip.pictures), (0, y + _TEXT_HEIGHT))
        y += strip.pictures.shape[0] + _TEXT_HEIGHT
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
