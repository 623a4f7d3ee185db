"""How a video is described in a line, the same in the queue and in the library."""

from __future__ import annotations

import datetime
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QDate, QLocale, QTime

from magi_desktop.state.generation_settings import fps_of
from magi_engine.runtime.request.request import GenerationRequest, Mode

translate = QCoreApplication.translate

MODE_ICONS = {Mode.T2V: "text", Mode.I2V: "image", Mode.V2V: "video"}


def size_text(width: int, height: int) -> str:
    """``720×480``."""
    return f"{width}×{height}"


def length_text(seconds: float) -> str:
    """``0:04``, as it is written on videos."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def clock_text(seconds: float) -> str:
    """``0:03``, or ``0:03.5``: when a part begins."""
    minutes, rest = divmod(round(seconds * 10) / 10, 60)
    return f"{minutes:.0f}:{rest:04.1f}".removesuffix(".0")


def request_line(request: GenerationRequest) -> str:
    """Size, length and seed of what is asked for; where it begins and its prompts, if there is
    more than one of them."""
    parts = [size_text(request.width, request.height), asked_length(request)]
    if request.start is not None and request.start.chunk:
        text = translate("ItemTexts", "from part {part} on")
        parts.append(text.format(part=request.start.chunk + 1))
    count = len(request.prompts)
    if count > 1:
        parts.append(translate("ItemTexts", "{count} prompts").format(count=count))
    parts.append(translate("ItemTexts", "seed {seed}").format(seed=request.seed))
    return " · ".join(parts)


def asked_length(request: GenerationRequest) -> str:
    """How long the video is to be."""
    if request.num_frames is None:
        return translate("ItemTexts", "until stopped")
    seconds = request.num_frames / fps_of(request)
    return translate("ItemTexts", "{seconds} s").format(
        seconds=QLocale().toString(round(seconds, 1), "g", 4)
    )


def prompt_text(request: GenerationRequest) -> str:
    """The first prompt in one line, or what stands for it."""
    prompt = " ".join(request.prompt.split())
    if prompt:
        return prompt
    if request.reference is not None:
        return translate("ItemTexts", "From {name}").format(name=Path(request.reference).name)
    return translate("ItemTexts", "No prompt")


def date_text(created: float) -> str:
    """The day, in the words of the user's language; today's videos with their time."""
    moment = datetime.datetime.fromtimestamp(created)
    locale, short = QLocale(), QLocale.FormatType.ShortFormat
    if moment.date() == datetime.date.today():
        time = locale.toString(QTime(moment.hour, moment.minute), short)
        return translate("ItemTexts", "Today, {time}").format(time=time)
    return locale.toString(QDate(moment.year, moment.month, moment.day), short)
