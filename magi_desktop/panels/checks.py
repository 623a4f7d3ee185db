"""What is wrong with the settings, and what is merely unwise: sentences under the list."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from magi_desktop.state.draft import Draft, settings_request
from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import icon
from magi_desktop.theme.style import theme
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import wrapped_label
from magi_engine.errors import MagiError
from magi_engine.messages import Message
from magi_engine.runtime.request.request import Mode
from magi_engine.runtime.request.validation import validate, warnings_for

_DELAY_MS = 120
_ICON_SIZE = 16


@dataclass(frozen=True)
class Verdict:
    """What the engine would say to the settings."""

    error: MagiError | None
    warnings: tuple[Message, ...]


def judge(draft: Draft) -> Verdict:
    """Check the settings as they are. That a reference is still missing is not their fault."""
    try:
        own = draft.config
        ready = draft.mode is Mode.T2V or draft.reference is not None
        request = draft.request() if ready else settings_request(draft.settings)
        merged = validate(request, own)
    except MagiError as error:
        return Verdict(error, ())
    notes = warnings_for(merged, own)
    own_size = (own.runtime_config.video_size_w, own.runtime_config.video_size_h)
    if draft.limits and (request.width, request.height) != own_size:
        notes.append(
            Message(
                "This model has only learned {width} x {height}: other sizes look wrong.",
                width=own_size[0],
                height=own_size[1],
            )
        )
    if draft.kept:
        notes.append(
            Message("Also kept from the video these settings are from: {names}.", names=draft.kept)
        )
    return Verdict(None, tuple(notes))


class Checks(QWidget):
    """Judges the draft a moment after each change and shows the outcome; hidden if all is well."""

    judged = Signal(object)

    def __init__(self, draft: Draft, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._draft = draft
        self.verdict = Verdict(None, ())
        self._lines: list[tuple[QLabel, QLabel, str]] = []
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(t.SPACE_2)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_DELAY_MS)
        self._timer.timeout.connect(self.judge_now)
        draft.changed.connect(self._judge_soon)
        theme().changed.connect(self._draw_icons)
        self.judge_now()

    @property
    def text(self) -> str:
        """All that is said, a line each."""
        return "\n".join(label.text() for _, label, _ in self._lines)

    def says(self, error: MagiError) -> bool:
        """Whether this error is shown here."""
        said = self.verdict.error
        return said is not None and translated(said) == translated(error)

    @Slot()
    def _judge_soon(self) -> None:
        self._timer.start()

    @Slot()
    def judge_now(self) -> None:
        """Judge without waiting."""
        self.verdict = judge(self._draft)
        lines = [("warning", translated(warning)) for warning in self.verdict.warnings]
        if self.verdict.error is not None:
            lines.insert(0, ("error", translated(self.verdict.error)))
        self._show(lines)
        self.judged.emit(self.verdict)

    def _show(self, lines: list[tuple[str, str]]) -> None:
        while self._rows.count():
            item = self._rows.takeAt(0)
            row = None if item is None else item.widget()
            assert row is not None
            row.hide()
            row.deleteLater()
        self._lines = []
        for tone, sentence in lines:
            row = QWidget(self)
            symbol, label = QLabel(row), wrapped_label(tone, row)
            label.setText(sentence)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            across = QHBoxLayout(row)
            across.setContentsMargins(0, 0, 0, 0)
            across.setSpacing(t.SPACE_2)
            across.addWidget(symbol, 0, Qt.AlignmentFlag.AlignTop)
            across.addWidget(label, 1)
            self._rows.addWidget(row)
            self._lines.append((symbol, label, tone))
        self._draw_icons()
        self.setVisible(bool(lines))

    @Slot()
    def _draw_icons(self) -> None:
        for symbol, _, tone in self._lines:
            drawn = icon(tone, getattr(theme().tokens, tone))
            symbol.setPixmap(drawn.pixmap(_ICON_SIZE, _ICON_SIZE))
