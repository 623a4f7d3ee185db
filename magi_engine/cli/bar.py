"""The bar of a task in a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from magi_engine.cli.display import stage_text

_Show = Callable[[str, float, float | None, str], None]


@contextlib.contextmanager
def progress_bar() -> Iterator[_Show]:
    """A bar on a terminal, elsewhere a line when a stage gets on. Gives what to call whenever there
    is news: with what is being done, how much of how much (None: nobody knows), and that in
    words."""
    if not sys.stderr.isatty():
        yield _line_per_stage()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    texts = TextColumn("{task.description}"), TextColumn("{task.fields[amount]}")
    columns = (texts[0], BarColumn(), texts[1], TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        line = bar.add_task("", total=None, amount="")

        def show(what: str, done: float, total: float | None, amount: str) -> None:
            if bar.tasks[0].description != what:  # the time left is that of a stage
                bar.reset(line, description=what)
            bar.update(line, completed=done, total=total, amount=amount)

        yield show


def _line_per_stage() -> _Show:
    said = set[str]()

    def show(what: str, done: float, _total: float | None, _amount: str) -> None:
        # What is refused at once has not got on; a download and its check take turns, by files.
        if done and what not in said:
            said.add(what)
            print(stage_text(what[0].upper() + what[1:]), file=sys.stderr, flush=True)

    return show
