"""Commands to a running job, given from any thread, obeyed by the thread that generates."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from magi_engine.json_text import WrongField, read_fields, to_fields
from magi_engine.messages import Message
from magi_engine.sampling.schedule import Transition


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
    """Use ``text`` from chunk ``from_chunk`` of the result on.

    Attributes:
        transition: what that chunk takes over from those before it.
        at_once: use it from the chunk after the one that is finished next: those that have begun
            behind that start anew, whatever ``from_chunk`` is.
    """

    from_chunk: int
    text: str
    transition: Transition = Transition.GO_ON
    at_once: bool = False


Command = Cancel | Pause | Resume | ChangePrompt

_NAMES = {"cancel": Cancel, "pause": Pause, "resume": Resume, "change_prompt": ChangePrompt}


def command_to_dict(command: Command) -> dict[str, Any]:
    """A command as JSON values: its name under ``command``, and its fields."""
    name = next(name for name, cls in _NAMES.items() if cls is type(command))
    return {"command": name, **to_fields(command)}


def command_from_dict(data: dict[str, Any]) -> Command:
    """What :func:`command_to_dict` gave.

    Raises:
        WrongField: it is no command, or damaged.
    """
    cls = _NAMES.get(str(data.get("command")))
    if cls is None:
        raise WrongField("command", Message("is missing"))
    return read_fields(cls, data)


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
