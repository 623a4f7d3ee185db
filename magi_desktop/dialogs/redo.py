"""A video made anew from a second on, or gone on with from its end."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QPlainTextEdit,
    QWidget,
)

from magi_desktop.state.queue import reseeded
from magi_desktop.theme import tokens as t
from magi_desktop.widgets.controls import (
    NumberBox,
    name_control,
    prepare_number,
    push_button,
    take_typed,
    text_label,
)
from magi_desktop.widgets.fitting import Sheet
from magi_desktop.widgets.layout import SHEET_MARGINS, STRETCH, hbox, vbox
from magi_desktop.widgets.transitions import transition_box
from magi_engine.config.official import MAX_FRAMES
from magi_engine.runtime.request.branch import Earlier
from magi_engine.sampling.schedule import Transition

_MORE_S = 4.0
"""How much is added to a video that is gone on with, unless another length is chosen."""
_LINES = 6
"""Of the prompt that can be seen."""


class RedoDialog(Sheet):
    """Asks from where on, with which words, how it begins, and how long.

    Args:
        earlier: the video.
        chunk: the first that is to be made anew; the one behind the last: it goes on.
        transition: how that begins, unless another way is chosen; None: as it did.

    Signals:
        chosen: the GenerationRequest, and how many are to be made of it.
    """

    chosen = Signal(object, int)

    def __init__(
        self,
        earlier: Earlier,
        chunk: int,
        copies: int,
        parent: QWidget | None = None,
        transition: Transition | None = None,
    ) -> None:
        super().__init__(parent)
        self._earlier = earlier
        self._said = ""
        """The prompt as it was from there on."""
        self.setMinimumWidth(460)
        self._make_fields()
        self._proposed = (
            self.length.value(),
            self.other_seed.isChecked(),
            self.transition.currentData(),
        )
        """Length, seed and transition as they stand there unless something else is chosen."""
        self.title = text_label("", "title", self)
        self.note = text_label("", "caption", self)
        cancel = push_button(self.tr("Cancel"), self.tr("Changes nothing."), self)
        cancel.clicked.connect(self.reject)
        cancel.setAutoDefault(True)  # Enter on it presses it, not the default
        self.several = push_button(
            self.tr("%n variation(s)", None, copies),
            self.tr("Make it several times, each with a seed of its own."),
            self,
        )
        self.several.clicked.connect(lambda: self._choose(copies))
        self.redo = push_button(
            self.tr("Redo"), self.tr("Line up the new video (Ctrl+Enter)."), self, "primary"
        )
        self.redo.clicked.connect(self._choose_one)
        self.redo.setDefault(True)
        QShortcut(QKeySequence("Ctrl+Return"), self, self._choose_one)
        form = QFormLayout()
        form.setSpacing(t.SPACE_3)
        form.addRow(self.tr("&From"), self.place)
        form.addRow(self.tr("&Prompt"), self.text)
        form.addRow(self.tr("&Begins"), self.transition)
        form.addRow(self.tr("&Length"), self.length)
        form.addRow("", self.other_seed)
        vbox(self, t.SPACE_3, SHEET_MARGINS).add(
            self.title,
            form,
            self.note,
            hbox(spacing=t.SPACE_2).add(STRETCH, cancel, self.several, self.redo),
        )
        self.place.setCurrentIndex(chunk)
        self._follow_place()
        if transition is not None:
            self.transition.setCurrentIndex(self.transition.findData(transition))
        self.text.setFocus()
        self.text.selectAll()

    def _make_fields(self) -> None:
        about, chunks = self._earlier.take.about, self._earlier.take.chunks
        self.place = QComboBox(self)
        for chunk in range(chunks + 1):
            second = f"{about.frames_before(chunk) / about.fps:.1f}".removesuffix(".0")
            at_end = chunk == self._earlier.chunks
            text = self.tr("the end, {} s") if at_end else self.tr("{} s")
            self.place.addItem(text.format(second))
        name_control(self.place, self.tr("From"), self.tr("All before it stays as it is."))
        self.place.currentIndexChanged.connect(self._follow_place)
        self.text = QPlainTextEdit(self)
        self.text.setTabChangesFocus(True)
        self.text.textChanged.connect(self._say_what_stays)
        self.text.setFixedHeight(_LINES * self.text.fontMetrics().lineSpacing())
        name_control(
            self.text, self.tr("Prompt"), self.tr("What the model is to show from then on.")
        )
        self.transition = transition_box(self)
        self.length = NumberBox(self)
        self.length.setDecimals(3)  # to the frame
        self.length.setRange(1 / about.fps, MAX_FRAMES / about.fps)
        self.length.setSuffix(self.tr(" s"))
        prepare_number(self.length, 120)
        name_control(self.length, self.tr("Length"), self.tr("How much is made from there on."))
        self.other_seed = QCheckBox(self.tr("With another &seed"), self)
        name_control(
            self.other_seed,
            self.tr("With another seed"),
            self.tr("The same words and the same seed give the same video again."),
        )

    @Slot()
    def _follow_place(self) -> None:
        earlier, chunk = self._earlier, self.place.currentIndex()
        unchanged = self.text.toPlainText() == self._said
        self._said = earlier.prompt_at(chunk)
        if unchanged:
            self.text.setPlainText(self._said)
        left = earlier.frames - earlier.take.about.frames_before(chunk)
        at_end = chunk == earlier.chunks
        length, other_seed, transition = self._proposed
        # What was chosen stays, as the words do.
        if self.length.value() == length:
            self.length.setValue(_MORE_S if at_end else left / earlier.take.about.fps)
            length = self.length.value()
        if self.other_seed.isChecked() == other_seed:
            other_seed = not at_end
            self.other_seed.setChecked(other_seed)
        if self.transition.currentData() is transition:
            transition = earlier.transition_at(chunk)
            self.transition.setCurrentIndex(self.transition.findData(transition))
        self._proposed = length, other_seed, transition
        title = self.tr("Go on from the end") if at_end else self.tr("Redo from here")
        self.setWindowTitle(title)
        self.title.setText(title)
        self.redo.setText(self.tr("Go on") if at_end else self.tr("Redo"))
        self._say_what_stays()

    @Slot()
    def _say_what_stays(self) -> None:
        chunk = self.place.currentIndex()
        said = (
            self.tr("It goes on from what was kept of it, without loss. This makes a new video.")
            if chunk == self._earlier.chunks
            else self.tr("What comes before stays as it is, to the last bit. This makes a new one.")
        )
        if self._new_words is not None and self._earlier.has_prompts_after(chunk):
            said += " " + self.tr("The later prompts give way to these words.")
        self.note.setText(said)

    @property
    def _new_words(self) -> str | None:
        """What is to be shown from there on; None: as it was."""
        text = self.text.toPlainText().strip()
        return None if text == self._said else text

    @Slot()
    def _choose_one(self) -> None:
        self._choose(1)

    def _choose(self, copies: int) -> None:
        take_typed(self.focusWidget())
        request = self._earlier.redone(
            self.place.currentIndex(),
            text=self._new_words,
            transition=self.transition.currentData(),
            seconds=self.length.value(),
        )
        if self.other_seed.isChecked():
            request = reseeded(request)
        self.chosen.emit(request, copies)
        self.accept()
