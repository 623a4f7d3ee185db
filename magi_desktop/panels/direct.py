"""Another prompt from a chunk on, while the video is being made."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QComboBox, QLineEdit, QWidget

from magi_desktop.state.item_texts import clock_text
from magi_desktop.state.job_words import duration
from magi_desktop.state.jobs import JobState
from magi_desktop.theme import tokens as t
from magi_desktop.widgets.controls import WheelGuard, line_label, name_control, push_button
from magi_desktop.widgets.layout import hbox
from magi_desktop.widgets.transitions import transition_box
from magi_engine.runtime.process.control import ChangePrompt

_LEAST_FIELD, _LEAST_BOX = 60, 4


class DirectLine(QWidget):
    """A line that says from when on, a field for the words, and *next* or *at once*.

    It follows the next chunk that has not begun, and holds the prompt that counts there, until
    something is typed; that stays until it is used or Esc is pressed, also when the next video
    begins.

    Signals:
        chosen: a ChangePrompt.
        left: somebody has typed there, and is done or elsewhere.
    """

    chosen = Signal(object)
    left = Signal()

    def __init__(self, job: JobState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._job = job
        self._asked = 0
        """The first chunk that is to follow, at the earliest."""
        self.title = line_label("", "caption", self)
        self.text = QLineEdit(self)
        self.text.setMinimumWidth(_LEAST_FIELD)
        self.text.setAcceptDrops(False)  # a dropped file is for the window
        self.text.returnPressed.connect(self._choose_next)
        self.text.editingFinished.connect(self._leave)
        name_control(
            self.text,
            self.tr("Prompt from then on"),
            self.tr("What the model is to show from then on (Ctrl+D). Esc: as it was."),
        )
        self.transition = transition_box(self)
        policy = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self.transition.setSizeAdjustPolicy(policy)
        self.transition.setMinimumContentsLength(_LEAST_BOX)
        widest = self.transition.view().sizeHintForColumn(0)
        self.transition.view().setMinimumWidth(widest + 2 * t.SPACE_3)
        self._guard = WheelGuard(self)
        self._guard.watch(self.transition)
        hint = self.tr("Use this prompt for what has not begun (Enter).")
        self.next = push_button(self.tr("Next"), hint, self)
        self.next.clicked.connect(self._choose_next)
        self.at_once = push_button(self.tr("At once"), "", self)
        self.at_once.clicked.connect(self._choose_at_once)
        hbox(self, t.SPACE_1).add(
            self.title, (self.text, 3), (self.transition, 1), self.next, self.at_once
        )
        job.started.connect(self._begin)
        job.changed.connect(self._follow)
        self._follow()

    @Slot()
    @Slot(int)
    def ask(self, chunk: int = 0) -> None:
        """Let the user type what is to be seen from a chunk on, or from the next one."""
        if self._job.can_direct:
            self._asked = chunk
            self._follow()
            self.text.setFocus(Qt.FocusReason.ShortcutFocusReason)
            self.text.selectAll()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._start()
            self.left.emit()
        else:
            super().keyPressEvent(event)

    @property
    def is_typing(self) -> bool:
        """Whether somebody is typing there, and has not used it yet."""
        return self.text.hasFocus() and self.text.isModified()

    @property
    def _chunk(self) -> int:
        """The chunk it is about; behind the last one, none is left."""
        first = self._job.first_open_chunk
        return max(self._asked, len(self._job.chunks) if first is None else first)

    @Slot()
    def _begin(self) -> None:
        """A new job: what was typed and not used yet is still there."""
        self._asked = 0
        if not self.text.isModified():
            self.transition.setCurrentIndex(0)
        self._follow()

    @Slot()
    def _start(self) -> None:
        self.text.setModified(False)
        self._begin()

    @Slot()
    def _leave(self) -> None:
        self._follow()
        self.left.emit()

    @Slot()
    def _follow(self) -> None:
        job, chunk = self._job, self._chunk
        # Who is typing goes on typing: elsewhere the keys would do something.
        self.text.setEnabled(job.can_direct or self.is_typing)
        self.transition.setEnabled(job.can_direct)
        self.next.setEnabled(job.can_direct and job.first_open_chunk is not None)
        begun, at_once = job.first_open_chunk is None, job.at_once
        start = chunk if not begun or at_once is None else at_once.chunk
        self.title.setText(self.tr("From {} on:").format(self._second(start)))
        if not self.text.isModified() and job.chunks:
            said = job.chunks[min(chunk, len(job.chunks) - 1)].prompt
            if " ".join(said.split()) != self.text.text():
                self.text.setText(" ".join(said.split()))
                self.text.setCursorPosition(0)
        wins = at_once is not None and at_once.lost_s > 0
        self.at_once.setEnabled(job.can_direct and wins)
        text, hint = self.tr("At once"), self.tr("What has already begun stays as it is.")
        if at_once is not None and wins:
            hint = self.tr(
                "At once is from {second} on: what has begun there starts anew, which takes "
                "about {time} longer."
            ).format(second=self._second(at_once.chunk), time=duration(at_once.lost_s))
            text += f" +{duration(at_once.lost_s)}"
        self.at_once.setText(text)
        name_control(self.at_once, text, hint)

    def _second(self, chunk: int) -> str:
        plan = self._job.plan
        return clock_text(0 if plan is None else plan.chunk(chunk).starts_s)

    @Slot()
    def _choose_next(self) -> None:
        if self.next.isEnabled():
            self._choose(at_once=False)

    @Slot()
    def _choose_at_once(self) -> None:
        self._choose(at_once=True)

    def _choose(self, at_once: bool) -> None:
        text, transition = self.text.text().strip(), self.transition.currentData()
        self.chosen.emit(ChangePrompt(self._chunk, text, transition, at_once=at_once))
        self._start()
