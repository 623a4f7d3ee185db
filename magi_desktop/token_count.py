"""How many tokens a prompt is for the chosen model, counted in the background."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from magi_desktop import background
from magi_desktop.state.generation_settings import configuration
from magi_engine.config.registry import Registry
from magi_engine.errors import ConfigError, MagiError, ModelNotFoundError, WeightsError
from magi_engine.model.caption_cleaning import not_read
from magi_engine.model.tokenizer import MAX_TOKENS, Tokenizer
from magi_engine.resources import resource_path
from magi_engine.weights.layout import entry_paths, find_model

_DELAY_MS = 150
_FILE = "spiece.model"


@dataclass(frozen=True)
class TokenCount:
    """The tokens of a prompt.

    Attributes:
        exact: False where the model's tokenizer is not here and another had to count.
        lost: the end of the prompt, which the model will not read; empty if all fits.
        not_read: the parts of the prompt that are taken from it before the model reads it.
    """

    count: int
    limit: int
    exact: bool
    lost: str = ""
    not_read: str = ""


@dataclass(frozen=True)
class ModelChoice:
    """Which model counts: a name in the registry, or an official configuration file."""

    name: str
    config_path: str | None = None
    models_dir: Path | None = None


class Tokenizers:
    """Counts for any model; keeps each tokenizer it has read. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[Path, int], Tokenizer] = {}

    def count(self, prompt: str, model: ModelChoice) -> TokenCount:
        """Count with the model's own tokenizer or, if it is not here, the pocket model's.

        Raises:
            ModelNotFoundError, WeightsError: the pocket model's tokenizer is missing or damaged.
        """
        limit = _limit(model)
        tokenizer, exact = self._tokenizer(model, limit)
        tokens = tokenizer.encode(prompt)
        lost = prompt[_kept_length(tokenizer, prompt) :].strip() if tokens.was_cut else ""
        return TokenCount(tokens.count, limit, exact, lost, not_read(prompt))

    def _tokenizer(self, model: ModelChoice, limit: int) -> tuple[Tokenizer, bool]:
        with self._lock:
            try:
                return self._load(_text_encoder(model) / _FILE, limit), True
            except (ModelNotFoundError, WeightsError, ConfigError):
                return self._load(resource_path("pocket", "t5", _FILE), limit), False

    def _load(self, path: Path, limit: int) -> Tokenizer:
        if (path, limit) not in self._known:
            self._known[path, limit] = Tokenizer.load(path, limit)
        return self._known[path, limit]


def _limit(model: ModelChoice) -> int:
    """How many tokens the model reads."""
    try:
        config = configuration(model.name, model.config_path)[1]
    except MagiError:  # the released ones' while it is not known
        return MAX_TOKENS
    return config.model_config.caption_max_length


def _text_encoder(model: ModelChoice) -> Path:
    if model.config_path is not None:
        return find_model(model.config_path, model.models_dir).files.text_encoder
    return entry_paths(Registry.load().find(model.name), model.models_dir).text_encoder


def _kept_length(tokenizer: Tokenizer, prompt: str) -> int:
    """Length of the longest beginning of a prompt that is not cut."""
    fits, too_long = 0, len(prompt)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if tokenizer.encode(prompt[:middle]).was_cut:
            too_long = middle
        else:
            fits = middle
    return fits


class TokenCounter(QObject):
    """Counts a while after the last change; an older answer never follows a newer one.

    Signals:
        counted: a ``TokenCount``.
    """

    counted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tokenizers = Tokenizers()
        self._wanted: tuple[str, ModelChoice] | None = None
        self._task: background.Task[TokenCount] | None = None
        self._timer = QTimer(self, singleShot=True, interval=_DELAY_MS)
        self._timer.timeout.connect(self._count)

    def ask(self, prompt: str, model: ModelChoice) -> None:
        if self._task is not None:
            self._task.cancel()
        self._wanted = (prompt, model)
        self._timer.start()

    @Slot()
    def _count(self) -> None:
        assert self._wanted is not None
        self._task = background.run(
            self._tokenizers.count, *self._wanted, then=self.counted.emit, owner=self
        )
