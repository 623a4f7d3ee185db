"""The bar of a task in a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[str, float, float | None, str], None]]:
    """A bar on a terminal, nothing elsewhere. Gives what to call whenever there is news: with what
    is being done, how much of how much (None: nobody knows), and that in words."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    texts = TextColumn("{task.description}"), TextColumn("{task.fields[amount]}")
    console = Console(stderr=True)
    columns = (texts[0], BarColumn(), texts[1], TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        line = bar.add_task("", total=None, amount="")

        def show(what: str, done: float, total: float | None, amount: str) -> None:
            if bar.tasks[0].description != what:  # the time left is that of a stage
                bar.reset(line, description=what)
            bar.update(line, completed=done, total=total, amount=amount)

        yield show
