"""Commands to a running job, given from any thread, obeyed by the thread that generates."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class Cancel:
    """Stop as soon as the current step is done and keep what is finished."""


@dataclass(frozen=True)
class Pause:
    """Stand still after the current step; memory stays as it is."""


@dataclass(frozen=True)
class Resume:
    """Go on after a pause."""


@dataclass(frozen=True)
class ChangePrompt:
    """Use ``text`` from chunk ``from_chunk`` of the result on."""

    from_chunk: int
    text: str


Command = Cancel | Pause | Resume | ChangePrompt


class JobCancelled(Exception):
    """Unwinds the job's stack to where the partial video is finalised; never leaves the engine."""


class ControlBox:
    """Holds what one job was told. ``send`` may be called from any thread at any time."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._cancelled = False
        self._paused = False
        self._prompts: list[ChangePrompt] = []

    def send(self, command: Command) -> None:
        """Note a command and wake the job if it is paused."""
        with self._condition:
            match command:
                case Cancel():
                    self._cancelled = True
                case Pause():
                    self._paused = True
                case Resume():
                    self._paused = False
                case ChangePrompt():
                    self._prompts.append(command)
            self._condition.notify_all()

    @property
    def paused(self) -> bool:
        """Whether the job should stand still now."""
        with self._condition:
            return self._paused and not self._cancelled

    def raise_if_cancelled(self) -> None:
        """Raise ``JobCancelled`` once cancel was asked for."""
        with self._condition:
            if self._cancelled:
                raise JobCancelled

    def wait_while_paused(self) -> None:
        """Block the calling thread until resumed or cancelled."""
        with self._condition:
            self._condition.wait_for(lambda: self._cancelled or not self._paused)

    def take_prompts(self) -> list[ChangePrompt]:
        """The prompt changes that arrived since the last call."""
        with self._condition:
            prompts, self._prompts = self._prompts, []
            return prompts
