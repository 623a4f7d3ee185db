"""How a running generation looks in a terminal, in a log file, and to another program."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Protocol, TextIO

from magi_engine.messages import Message, counted, duration_words, in_sequence
from magi_engine.runtime.job.events import (
    AttentionQuantised,
    Cancelled,
    ChunkReady,
    ChunkState,
    ChunkStatus,
    DecodingStarted,
    Event,
    Failed,
    Finished,
    Notice,
    Paused,
    Planned,
    Progress,
    PromptChanged,
    Restarted,
    Resumed,
    StageStarted,
)
from magi_engine.runtime.planning.plan import JobPlan, Pace

if TYPE_CHECKING:
    from rich.console import Console, Group

_BAR_WIDTH = 32


class Display(Protocol):
    """Shows events; used as a context manager around each generation."""

    def __enter__(self) -> Display: ...

    def __exit__(self, *exc_info: object) -> None: ...

    def show(self, event: Event) -> None:
        """Show one event."""
        ...

    def say(self, sentence: str) -> None:
        """Show a sentence that is not an event."""
        ...


def choose_display(as_json: bool, quiet: bool) -> Display:
    """JSON lines if asked for, a live display on a terminal, plain lines elsewhere."""
    if as_json:
        return JsonDisplay(sys.stdout)
    if quiet:
        return PlainDisplay(sys.stderr, quiet=True)
    if sys.stderr.isatty():
        from rich.console import Console

        return LiveDisplay(Console(stderr=True, highlight=False))
    return PlainDisplay(sys.stderr)


def stage_text(what: Message | str) -> str:
    """That a stage begins, or is under way."""
    return f"{what} ..."


def closing_text(event: Finished | Cancelled) -> str:
    """What a finished or stopped generation left behind."""
    if isinstance(event, Finished):
        where = f"Saved {event.path}" if event.path else "Done"
        frames = counted(event.frames, "frame|frames")
        return f"{where} ({frames} in {duration_words(event.elapsed_s)})."
    if event.path:
        frames = counted(event.frames, "frame finished so far is|frames finished so far are")
        return f"Stopped. The {frames} in {event.path}."
    return "Stopped before the first chunk was finished; there is nothing to keep."


def _warning(plan: JobPlan) -> str | None:
    """What one should know before it begins, if anything."""
    if plan.problem:
        return f"Note: {in_sequence(plan.problem, plan.way_out)}"
    if plan.pace is Pace.HOPELESS and plan.seconds is not None:
        return f"Note: This will take about {duration_words(plan.seconds)}."
    return None


def _sentence(event: Event) -> str | None:
    match event:
        case Planned(plan=plan):
            return _warning(plan)
        case StageStarted():
            return stage_text(event.stage.sentence)
        case Notice():
            return f"Note: {event.message}"
        case PromptChanged():
            return f"From chunk {event.chunk + 1} on: {event.text}"
        case AttentionQuantised():
            return f"Note: attention is computed with 8 bits ({event.backend})."
        case Paused():
            return "Paused."
        case Resumed() | Restarted():
            return "Going on."
        case Finished() | Cancelled():
            return closing_text(event)
    return None


class JsonDisplay:
    """One JSON object per line and event."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __enter__(self) -> JsonDisplay:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def show(self, event: Event) -> None:
        """Write the event's line at once, so that a reader sees it in time."""
        print(json.dumps(event.to_dict(), ensure_ascii=False), file=self._stream, flush=True)

    def say(self, sentence: str) -> None:
        """Sentences for people go to stderr."""
        print(sentence, file=sys.stderr, flush=True)


class PlainDisplay:
    """A line per stage and finished chunk, for logs and pipes."""

    def __init__(self, stream: TextIO, quiet: bool = False) -> None:
        self._stream = stream
        self._quiet = quiet
        self._progress: Progress | None = None

    def __enter__(self) -> PlainDisplay:
        self._progress = None
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def show(self, event: Event) -> None:
        """Write a line if the event deserves one."""
        if isinstance(event, Progress):
            self._progress = event
        elif isinstance(event, ChunkReady):
            if not self._quiet:
                self.say(self._chunk_line(event))
        elif (sentence := _sentence(event)) and (
            not self._quiet or isinstance(event, Planned | Notice | Finished | Cancelled)
        ):
            self.say(sentence)

    def say(self, sentence: str) -> None:
        """Write one line."""
        print(sentence, file=self._stream, flush=True)

    def _chunk_line(self, event: ChunkReady) -> str:
        progress = self._progress
        frames = counted(event.first_frame + len(event.frames), "frame|frames")
        if progress is None:
            return f"Chunk {event.index + 1} is ready, {frames}."
        of = f" of {progress.num_chunks}" if progress.num_chunks else ""
        rest_s = round(progress.eta_s or 0)
        left = f", about {duration_words(rest_s)} left" if rest_s else ""
        pace = f"{progress.frames_per_second:.1f} frames/s"
        return f"Chunk {event.index + 1}{of} is ready, {frames}, {pace}{left}."


class LiveDisplay:
    """A bar for the whole video, its pace, and the chunks in work, redrawn in place."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self._console = console
        self._live = Live(console=console, refresh_per_second=8, transient=True)
        self._stage = ""
        self._progress: Progress | None = None

    def __enter__(self) -> LiveDisplay:
        self._stage, self._progress = "", None
        self._live.update("")
        self._live.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._live.__exit__(None, None, None)

    def show(self, event: Event) -> None:
        """Redraw, or write a line above the bar."""
        match event:
            case Progress():
                self._progress = event
            case DecodingStarted():
                self._progress = self._progress and self._progress.decoding(event.index)
            case StageStarted():
                self._stage = str(event.stage.sentence)
            case ChunkReady() | Failed():
                pass
            case _:
                if sentence := _sentence(event):
                    self.say(sentence)
        self._live.update(self._drawing())

    def say(self, sentence: str) -> None:
        """Write a line above the bar."""
        self._console.print(sentence, markup=False)

    def _drawing(self) -> Group:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text

        progress = self._progress
        if progress is None:
            return Group(Spinner("dots", text=Text(f" {stage_text(self._stage)}")))
        bar = ProgressBar(
            total=1.0,
            completed=progress.fraction or 0.0,
            width=_BAR_WIDTH,
            pulse=progress.fraction is None,
        )
        line = Table.grid(padding=(0, 1))
        line.add_row(self._stage, bar, Text(_share_text(progress)))
        return Group(line, Text(_pace_text(progress)), Text(_chunks_text(progress), style="dim"))


def _share_text(progress: Progress) -> str:
    if progress.fraction is None or progress.num_chunks is None:
        return counted(progress.chunks_done, "chunk|chunks")
    chunks = counted(progress.num_chunks, "chunk|chunks")
    return f"{progress.fraction:.0%} · {progress.chunks_done} of {chunks}"


def _pace_text(progress: Progress) -> str:
    parts = [
        f"{progress.frames_per_second:.1f} frames/s",
        f"next chunk in {duration_words(progress.next_chunk_s)}",
    ]
    if progress.eta_s is not None:
        parts.append(f"{duration_words(progress.eta_s)} left")
    return " · ".join(parts)


def _chunks_text(progress: Progress) -> str:
    """The chunks in work and their steps, counted from 1, such as
    ``chunk 3: 12/16  chunk 4: 8/16``."""
    return "  ".join(_chunk_text(status, progress.num_steps) for status in progress.active)


def _chunk_text(status: ChunkStatus, num_steps: int) -> str:
    if status.state is ChunkState.DECODING:
        return f"chunk {status.index + 1}: decoding"
    return f"chunk {status.index + 1}: {status.step}/{num_steps}"
