"""What the next video will take, under the button that makes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QTimer, Slot
from PySide6.QtWidgets import QPushButton, QSizePolicy, QVBoxLayout, QWidget

from magi_desktop import background
from magi_desktop.panels.values import settings_request
from magi_desktop.state.draft import Draft
from magi_desktop.state.job_words import duration, rough_duration
from magi_desktop.state.machine import MachineState
from magi_desktop.state.model_words import size_text
from magi_desktop.theme import tokens as t
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import name_control, set_role, wrapped_label
from magi_engine.errors import MagiError
from magi_engine.runtime.machine import MachineFacts
from magi_engine.runtime.preflight import Advice, Preflight, estimate
from magi_engine.runtime.request import GenerationRequest, Mode

_DELAY_MS = 250
_SEPARATOR = "  ·  "


class PreflightLine(QWidget):
    """Time, memory and disk space of the draft; if there is not enough, what would fit.

    The time is called a guess before a video was made with the model on this machine, and nothing
    is said before the machine's numbers are known. It never stands in the way.

    Args:
        output_folder: tells where the next video goes.
        models_dir: where downloaded models are; None: the usual folder.
    """

    def __init__(
        self,
        draft: Draft,
        machine: MachineState,
        output_folder: Callable[[], Path],
        models_dir: Path | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._draft, self._machine, self._models_dir = draft, machine, models_dir
        self._output_folder = output_folder
        self._task: background.Task[Preflight] | None = None
        self.outcome: Preflight | None = None
        self.advice_buttons: list[QPushButton] = []
        """A button for each change that would fit."""
        self.label = wrapped_label("caption", self)
        self._buttons = QVBoxLayout()
        self._buttons.setSpacing(t.SPACE_1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(t.SPACE_1)
        column.addWidget(self.label)
        column.addLayout(self._buttons)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_DELAY_MS)
        self._timer.timeout.connect(self._estimate)
        draft.changed.connect(self._estimate_soon)
        machine.changed.connect(self._estimate_soon)
        self.hide()
        self._estimate_soon()

    @Slot()
    def _estimate_soon(self) -> None:
        self._timer.start()

    @Slot()
    def _estimate(self) -> None:
        if self._task is not None:
            self._task.cancel()
        facts = self._machine.facts
        if facts is None:
            return
        try:
            request = self._request()
        except MagiError as error:  # the checks say so
            self._show_nothing(error)
            return
        self._task = background.run(
            estimate,
            request,
            facts,
            self._models_dir,
            then=partial(self._show, facts),
            failed=self._show_nothing,
            owner=self,
        )

    def _request(self) -> GenerationRequest:
        draft = self._draft
        if draft.mode is Mode.T2V or draft.reference is not None:
            request = draft.request()
        else:
            request = settings_request(draft.settings)
        if request.output is None:
            return request
        return dataclasses.replace(request, output=str(self._output_folder() / request.output))

    def _show(self, facts: MachineFacts, outcome: Preflight) -> None:
        self.outcome = outcome
        self._clear()
        text = self._figures(facts, outcome)
        if not outcome.fits:
            text = translated(outcome.problem)
            for advice in outcome.advice:
                self.advice_buttons.append(self._button(advice))
                self._buttons.addWidget(self.advice_buttons[-1])
        set_role(self.label, "caption" if outcome.fits else "warning")
        self.label.setText(text)
        self.label.setToolTip(self._explanation(outcome) if outcome.fits else "")
        self.setVisible(bool(text))

    def _show_nothing(self, _error: Exception) -> None:
        self.outcome = None
        self._clear()
        self.hide()

    def _figures(self, facts: MachineFacts, outcome: Preflight) -> str:
        parts = [self._time(outcome)]
        if outcome.vram_bytes is not None and facts.vram_total_bytes is not None:
            parts.append(
                self.tr("{needed} of {all} graphics memory").format(
                    needed=size_text(outcome.vram_bytes), all=size_text(facts.vram_total_bytes)
                )
            )
        parts.append(
            self.tr("{needed} of {all} memory").format(
                needed=size_text(outcome.ram_bytes), all=size_text(facts.ram_total_bytes)
            )
        )
        if outcome.disk_bytes:
            parts.append(self.tr("{} on disk").format(size_text(outcome.disk_bytes)))
        # A line breaks between the figures, not within one.
        return _SEPARATOR.join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in parts if part)

    def _time(self, outcome: Preflight) -> str:
        """How long it takes, and how much that is worth."""
        exact = outcome.measured
        in_words = duration if exact else rough_duration
        if outcome.seconds is not None:
            text = self.tr("about {}") if exact else self.tr("roughly {}")
            return text.format(in_words(outcome.seconds))
        if outcome.chunk_s is not None:
            text = self.tr("a chunk every {}") if exact else self.tr("a chunk roughly every {}")
            return text.format(in_words(outcome.chunk_s))
        return ""

    def _explanation(self, outcome: Preflight) -> str:
        """What the time consists of, a line each."""
        times = outcome.times
        lines = [
            text.format(duration(seconds))
            for text, seconds in (
                (self.tr("Reading the prompt: {}"), times.text_s),
                (self.tr("Loading the model: {}"), times.load_s),
                (self.tr("Getting it up to speed: {}"), times.warm_up_s),
                (self.tr("Denoising: {}"), times.denoise_s if outcome.seconds else 0.0),
                (self.tr("Decoding and writing: {}"), times.decode_s if outcome.seconds else 0.0),
                (self.tr("The first second can be seen after {}."), outcome.first_chunk_s or 0.0),
            )
            if round(seconds)
        ]
        if not outcome.measured:
            lines.append(self.tr("Guessed from the device; after the first video it is measured."))
        return "\n".join(lines)

    def _button(self, advice: Advice) -> QPushButton:
        sentence = translated(advice.sentence)
        button = QPushButton(sentence.removesuffix(".").removesuffix("。"), self)
        button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        name_control(button, sentence, self.tr("Changes this setting, so that the video fits."))
        button.clicked.connect(partial(self._apply, advice))
        return button

    def _apply(self, advice: Advice) -> None:
        values = {
            name: getattr(advice, name)
            for name in ("width", "height", "window_size", "model")
            if getattr(advice, name) is not None
        }
        if advice.num_frames is not None:
            fps = self._draft.settings.fps or self._draft.config.runtime_config.fps
            values["seconds"] = advice.num_frames / fps
        self._draft.set(**values)

    def _clear(self) -> None:
        for button in self.advice_buttons:
            self._buttons.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.advice_buttons = []
