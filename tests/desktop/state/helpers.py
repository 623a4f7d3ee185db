"""Small requests, and waiting for the database."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from magi_desktop.state.store import Store
from magi_engine.runtime.request.request import GenerationRequest, Mode, PromptChange


def request(prompt: str = "a red circle", **values: object) -> GenerationRequest:
    """A small request."""
    fields = {"mode": Mode.T2V, "model": "pocket", "width": 64, "height": 64, "num_frames": 24}
    return GenerationRequest(**{**fields, "prompts": (PromptChange(0, prompt),), **values})  # type: ignore[arg-type]


def settle(qtbot: QtBot, store: Store) -> None:
    """Wait until the store has done and answered everything asked so far."""
    answers: list[int] = []
    store.read(lambda c: c.execute("SELECT 1").fetchone()[0], answers.append, store)
    qtbot.waitUntil(lambda: answers == [1])
