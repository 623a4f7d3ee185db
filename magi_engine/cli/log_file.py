"""Where technical details go: tracebacks are for a log, never for the terminal."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from magi_engine.config.places import default_log_dir
from magi_engine.errors import OutputError

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@contextmanager
def logging_to(path: Path | None) -> Iterator[Path]:
    """Log to ``path`` while the context lasts; without one, only errors, to the user's log folder.

    The default file does not come into being before there is something to say.

    Yields:
        The log file.

    Raises:
        OutputError: ``path`` cannot be written.
    """
    log = logging.getLogger("magi_engine")
    if path is None:
        path = default_log_dir() / "magi.log"
        handler: logging.FileHandler = _QuietFileHandler(path, encoding="utf-8", delay=True)
        handler.setLevel(logging.ERROR)
    else:
        try:
            handler = logging.FileHandler(path, encoding="utf-8")
        except OSError as error:
            raise OutputError(
                "The log {path} cannot be written.", "Choose another.", path=path
            ) from error
        log.setLevel(logging.INFO)
    handler.setFormatter(logging.Formatter(_FORMAT))
    log.addHandler(handler)
    try:
        yield path
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)
        handler.close()


class _QuietFileHandler(logging.FileHandler):
    """Makes its folder when needed, and loses messages rather than failing."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
            super().emit(record)
        except OSError:
            self.close()

    def handleError(self, record: logging.LogRecord) -> None:
        """Called by ``emit`` when the disk is full: nothing sensible can be done about a log."""
