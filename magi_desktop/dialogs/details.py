"""How a finished video was made."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from magi_desktop import background
from magi_desktop.state.generation_settings import configuration
from magi_desktop.state.item_texts import clock_text, date_text, length_text, prompt_text, size_text
from magi_desktop.state.job_words import duration
from magi_desktop.state.library import LibraryItem
from magi_desktop.theme import tokens as t
from magi_desktop.widgets.controls import CopyButton, flowing_label, push_button
from magi_desktop.widgets.fitting import Sheet
from magi_desktop.widgets.layout import SHEET_MARGINS, STRETCH, hbox, vbox
from magi_engine.config.registry import Registry
from magi_engine.errors import MagiError
from magi_engine.runtime.planning.plan import timing_of
from magi_engine.runtime.request.metadata import names_another_computer
from magi_engine.runtime.request.request import GenerationRequest
from magi_engine.runtime.request.storyboard import shots_of

_WIDTH = 460


class DetailsDialog(Sheet):
    """A table of facts; each can be selected, and all can be copied.

    Args:
        request: how the video was made.
    """

    def __init__(
        self, item: LibraryItem, request: GenerationRequest, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Details"))
        self._item, self._request = item, request
        self.facts = self._facts(["…"] * len(request.prompts))
        grid = QGridLayout()
        grid.setHorizontalSpacing(t.SPACE_4)
        grid.setVerticalSpacing(t.SPACE_2)
        grid.setColumnStretch(1, 1)
        self._rows = [(QLabel(self), flowing_label("", "", self)) for _ in self.facts]
        for row, (label, text) in enumerate(self._rows):
            label.setProperty("role", "muted")
            text.setTextInteractionFlags(
                Qt.TextInteractionFlag.TextSelectableByMouse
                | Qt.TextInteractionFlag.TextSelectableByKeyboard
            )
            grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(text, row, 1)
        self._show_facts()
        copy = CopyButton(self.tr("Copy"), self.tr("Put all of it on the clipboard."), self)
        copy.clicked.connect(lambda: copy.copy("\n".join(f"{n}: {v}" for n, v in self.facts)))
        close = push_button(self.tr("Close"), self.tr("Back to the window."), self)
        close.clicked.connect(self.accept)
        vbox(self, t.SPACE_4, SHEET_MARGINS).add(
            flowing_label(prompt_text(request), "heading", self),
            grid,
            STRETCH,
            hbox().add(STRETCH, copy, close),
        )
        self.setMinimumWidth(_WIDTH)
        close.setFocus()
        if len(request.prompts) > 1:  # when they begin depends on the clip it began with
            background.run(_starts, request, then=self._tell_starts, owner=self)

    def _tell_starts(self, starts: list[str]) -> None:
        self.facts = self._facts(starts)
        self._show_facts()

    def _show_facts(self) -> None:
        for (label, text), (name, value) in zip(self._rows, self.facts, strict=True):
            label.setText(name)
            text.setText(value)
            text.setAccessibleName(f"{name}: {value}")

    def _facts(self, starts: list[str]) -> list[tuple[str, str]]:
        item, request = self._item, self._request
        facts = [(self.tr("File"), str(item.path))]
        for start, change in zip(starts, request.prompts, strict=True):
            if change.chunk > 0:
                facts.append((self.tr("Prompt from {} on").format(start), change.text))
        if request.reference is not None:
            facts.append((self.tr("Started from"), request.reference))
        length = length_text(item.duration_s)
        if not item.complete:
            length = self.tr("{}, stopped early").format(length)
        steps = _steps(request)
        quality = "?" if steps is None else self.tr("%n step(s)", None, steps)
        facts += [
            (self.tr("Seed"), str(request.seed)),
            (self.tr("Model"), _title(request.model)),
            (self.tr("Size"), size_text(item.width, item.height)),
            (self.tr("Length"), length),
            (self.tr("Quality"), quality),
            (self.tr("Made"), date_text(item.created)),
        ]
        if item.took_s is not None:
            facts.append((self.tr("Took"), duration(item.took_s)))
        if item.quantised_attention:
            facts.append((self.tr("Computed with"), self.tr("8-bit arithmetic")))
        return facts


def _starts(request: GenerationRequest) -> list[str]:
    """When each prompt begins, as on the timeline; reads files."""
    if names_another_computer(request):
        return ["?"] * len(request.prompts)
    try:
        shots = shots_of(request.prompts, *timing_of(request))
        return [clock_text(shot.start_s) for shot in shots]
    except MagiError:  # the model, or the clip it began with, is not here any more
        return ["?"] * len(request.prompts)


def _title(model: str) -> str:
    try:
        return Registry.load().find(model).title
    except MagiError:  # one that is not known here any more
        return model


def _steps(request: GenerationRequest) -> int | None:
    """None: not known."""
    if request.sampling.num_steps is not None:
        return request.sampling.num_steps
    if names_another_computer(request):
        return None
    try:
        return configuration(request.model, request.config_path)[1].runtime_config.num_steps
    except MagiError:
        return None
