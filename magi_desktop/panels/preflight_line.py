"""What the next video will take, under the button that makes it."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QPushButton, QSizePolicy, QWidget

from magi_desktop.state.draft import Draft
from magi_desktop.state.job_words import duration, figure, rough_duration
from magi_desktop.state.machine import MachineState
from magi_desktop.state.model_words import size_text
from magi_desktop.theme import tokens as t
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import name_control, set_role, text_label
from magi_desktop.widgets.layout import vbox
from magi_engine.errors import MagiError

if TYPE_CHECKING:
    from magi_engine.runtime.planning.advice import Advice
    from magi_engine.runtime.planning.plan import JobPlan

_SEPARATOR = "\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}·  "
"""No line begins with it."""
_LINES = 2
"""What the figures usually take."""


class PreflightLine(QWidget):
    """Time, memory and disk space of the draft; if there is not enough, what would fit.

    The time is called a guess before a video was made with the model on this machine. It never
    stands in the way.
    """

    def __init__(self, draft: Draft, machine: MachineState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._draft, self._machine = draft, machine
        self.advice_buttons: list[QPushButton] = []
        """A button for each change that would fit."""
        self.label = text_label("", "caption", self)
        self._buttons = vbox(spacing=t.SPACE_1)
        vbox(self, t.SPACE_1).add(self.label, self._buttons)
        draft.changed.connect(self._draft_changed)
        machine.changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show what the engine has said last."""
        plan = self._draft.plan
        for button in self.advice_buttons:
            self._buttons.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.advice_buttons = []
        text = tip = role = ""
        if plan is None:
            text = self.tr("Estimating …")
        elif isinstance(plan, MagiError):
            pass  # the checks say so
        elif plan.fits:
            text, tip = self._figures(plan), self._explanation(plan)
            role = "" if plan.soon else "warning"
        else:
            text, role = translated(plan.problem), "warning"
            for advice in plan.advice:
                self.advice_buttons.append(self._button(advice))
                self._buttons.addWidget(self.advice_buttons[-1])
        set_role(self.label, role or "caption")
        # The button above stays where it is while the figures come and go.
        line = self.tr("{} s, %n frame(s)", None, 1) + _SEPARATOR
        usual = "\n".join([_in_one_line(line)] * _LINES)
        self.label.ensurePolished()  # else it is measured in another size of type
        least = self.label.fontMetrics().size(0, usual).height()
        if plan is None and self.label.isVisible():
            least = max(least, self.label.height())
        self.label.setMinimumHeight(least)
        self.label.setText(text)
        self.label.setToolTip(tip)

    @Slot(str)
    def _draft_changed(self, name: str) -> None:
        if name == "plan":
            self.refresh()

    def _figures(self, plan: JobPlan) -> str:
        parts, facts = [self._length(plan), self._time(plan)], self._machine.facts
        if plan.vram_bytes is not None and facts is not None and facts.vram_total_bytes is not None:
            parts.append(
                self.tr("{needed} of {all} graphics memory").format(
                    needed=size_text(plan.vram_bytes), all=size_text(facts.vram_total_bytes)
                )
            )
        if facts is not None:
            parts.append(
                self.tr("{needed} of {all} memory").format(
                    needed=size_text(plan.ram_bytes), all=size_text(facts.ram_total_bytes)
                )
            )
        if self._machine.host:
            parts.append(self.tr("made by {}").format(self._machine.host))
        if plan.disk_bytes:
            parts.append(self.tr("{} on disk").format(size_text(plan.disk_bytes)))
        return _SEPARATOR.join(map(_in_one_line, filter(None, parts)))

    def _length(self, plan: JobPlan) -> str:
        """Seconds and frames."""
        frames = plan.length.num_frames
        if plan.num_chunks is None or frames is None:
            return self.tr("until you stop it")
        return self.tr("{} s, %n frame(s)", None, frames).format(figure(frames / plan.fps))

    def _time(self, plan: JobPlan) -> str:
        """How long it takes, and how much that is worth."""
        exact = plan.measured
        in_words = duration if exact else rough_duration
        if plan.seconds is not None:
            text = self.tr("about {}") if exact else self.tr("roughly {}")
            return text.format(in_words(plan.seconds))
        text = self.tr("a second every {}") if exact else self.tr("a second roughly every {}")
        return text.format(in_words(plan.chunk_s * plan.fps / plan.length.chunk_frames))

    def _explanation(self, plan: JobPlan) -> str:
        """What the time consists of, a line each."""
        times = plan.times
        lines = [
            text.format(duration(seconds))
            for text, seconds in (
                (self.tr("Reading the prompt: {}"), times.text_s),
                (self.tr("Loading the model: {}"), times.load_s),
                (self.tr("Getting it up to speed: {}"), times.warm_up_s),
                (self.tr("Making the frames: {}"), times.denoise_s if plan.seconds else 0.0),
                (self.tr("Decoding and writing: {}"), times.decode_s if plan.seconds else 0.0),
                (self.tr("The first second can be seen after {}."), plan.ready_s[0]),
            )
            if round(seconds)
        ]
        if not plan.measured:
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
        plan, values = self._draft.plan, dict(advice.changes)
        frames = values.pop("num_frames", None)
        if frames is not None and plan is not None and not isinstance(plan, MagiError):
            values["seconds"] = frames / plan.fps
        if "model" in values:
            self._draft.choose_model(values.pop("model"))
        self._draft.set(**values)


def _in_one_line(figure: str) -> str:
    """A line breaks between the figures and not within one, as it may between any two Chinese
    characters."""
    return re.sub(
        "(?<=[\u3000-\u9fff])(?=.)|(?<=.)(?=[\u3000-\u9fff])",
        "\N{WORD JOINER}",
        figure.replace(" ", "\N{NO-BREAK SPACE}"),
    )
