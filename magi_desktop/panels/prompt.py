"""What the video shows, in words."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QAction, QPaintEvent, QTextCursor
from PySide6.QtWidgets import QMenu, QWidget

from magi_desktop import background
from magi_desktop.examples import Examples, examples_for, load_examples
from magi_desktop.language import looks_foreign
from magi_desktop.panels.later_prompts import LaterPrompts
from magi_desktop.panels.prompt_field import PromptField
from magi_desktop.panels.prompt_history import HistoryPopup
from magi_desktop.state.draft import Draft
from magi_desktop.state.prompt_history import PromptHistory
from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import bind_icon
from magi_desktop.token_count import ModelChoice, TokenCount, TokenCounter
from magi_desktop.widgets.controls import icon_button, line_label, push_button, set_role, text_label
from magi_desktop.widgets.layout import hbox, vbox
from magi_engine.runtime.request.request import Mode

_MENU_CHARACTERS = 64
_LOST_CHARACTERS = 40


class PromptPanel(QWidget):
    """The prompt with its count of tokens, used and example prompts, and the
    prompts for later chunks.

    """

    def __init__(
        self,
        draft: Draft,
        history: PromptHistory,
        parent: QWidget | None = None,
        models_dir: Path | None = None,
    ) -> None:
        """``models_dir``: where downloaded models are, with their tokenizers; None: the usual."""
        super().__init__(parent)
        self._draft, self._history, self._models_dir = draft, history, models_dir
        self._browsed: list[str] = []
        """While browsing with Alt+Up: what was typed, then the used prompts, newest first."""
        self._place = 0
        self._painted = False
        self._examples: Examples = {}
        self._counter = TokenCounter(self)
        self._counter.counted.connect(self._show_count)
        self.field = PromptField(self)
        self._lay_out()
        self.setFocusProxy(self.field)
        self.field.textChanged.connect(self._typed)
        self.field.history_requested.connect(self._browse)
        draft.mode_changed.connect(self._show_mode)
        draft.changed.connect(self._draft_changed)
        self._show_mode(draft.mode)
        self._show_prompt()
        background.run(load_examples, then=self._examples_loaded, owner=self)

    def insert(self, text: str) -> None:
        """Put a dropped text where the cursor is."""
        self.field.insert_words(text)
        self.field.setFocus()

    @Slot()
    def remember(self) -> None:
        """The prompts were used: keep them in the history."""
        for change in reversed(self._draft.later_prompts):
            self._history.add(change.text)
        self._history.add(self._draft.prompt)
        self._browsed = []

    # Building.

    def _lay_out(self) -> None:
        title = line_label(self.tr("Prompt"), "heading", self)
        title.setBuddy(self.field)
        hint = self.tr("Take a prompt that the chosen model can do.")
        self.examples_button = push_button(self.tr("Examples"), hint, self, "quiet")
        bind_icon(self.examples_button, "wand")
        self.examples_menu = QMenu(self)
        self.examples_menu.setToolTipsVisible(True)
        self.examples_menu.aboutToShow.connect(self._fill_examples)
        self.examples_menu.triggered.connect(lambda action: self._take(action.data()))
        self.examples_button.setMenu(self.examples_menu)
        self.history_button = icon_button(
            "history",
            self.tr("Used prompts"),
            self.tr("Take a prompt you have used before (Alt+Up)."),
            self,
        )
        self.history_button.clicked.connect(self._open_history)

        self.hint = text_label("", "caption", self)
        self.count = line_label("", "caption", self)
        self.field.setAccessibleName(self.tr("Prompt"))
        self.field.setToolTip(self.tr("Describe the video in English."))

        self.later = LaterPrompts(self._draft, self)  # last in the order of Tab, too
        vbox(self, t.SPACE_1).add(
            hbox(spacing=t.SPACE_1).add((title, 1), self.examples_button, self.history_button),
            self.field,
            hbox(spacing=t.SPACE_3).add((self.hint, 1), (self.count, 0, Qt.AlignmentFlag.AlignTop)),
            self.later,
        )

    # Text and draft.

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:  # the tokenizer is slow to import: not before there is a picture
            self._painted = True
            self._ask_count()

    @Slot()
    def _typed(self) -> None:
        text = self.field.toPlainText()
        if self._browsed and text != self._browsed[self._place]:
            self._browsed = []
        self._draft.set_prompt(text)

    @Slot(object)
    def _show_mode(self, mode: Mode) -> None:
        placeholders = {
            Mode.T2V: self.tr("What can be seen, and how does it move?"),
            Mode.I2V: self.tr("What is in the picture, and how does it begin to move?"),
            Mode.V2V: self.tr("What is in the video, and how does it go on?"),
        }
        self.field.setPlaceholderText(placeholders[mode])

    @Slot(str)
    def _draft_changed(self, name: str) -> None:
        if name == "prompt":
            self._show_prompt()
        if name == "base":  # what was typed before was for another video
            self.field.document().clearUndoRedoStacks()
        if name in ("prompt", "model", "config_path"):
            self._ask_count()

    def _show_prompt(self) -> None:
        if self.field.toPlainText() != self._draft.prompt:
            self.field.replace_text(self._draft.prompt)

    # Tokens and language.

    def _ask_count(self) -> None:
        chosen = self._draft.settings
        model = ModelChoice(chosen.model, chosen.config_path, self._models_dir)
        self._counter.ask(self._draft.prompt, model)

    @Slot(object)
    def _show_count(self, count: TokenCount) -> None:
        number = f"{count.count} / {count.limit}"
        self.count.setText(number if count.exact else self.tr("about {}").format(number))
        self.count.setToolTip(
            self.tr("How much of what the model can read the prompt takes, in tokens.")
            if count.exact
            else self.tr("Counted with another tokenizer, since the model is not here yet.")
        )
        set_role(self.count, "warning" if count.lost else "caption")
        if count.lost:
            self._warn(self.tr("Too long. Not read any more from: “{}”"), count.lost)
        elif count.not_read and not count.count:
            self._warn(
                self.tr("The model reads nothing of: “{}”. Say it in English."), count.not_read
            )
        elif looks_foreign(self._draft.prompt):
            self._hint(self.tr("The model reads English only; other languages mislead it."))
        elif count.not_read:
            self._warn(self.tr("The model does not read, or only in part: “{}”"), count.not_read)
        else:
            self._hint("")

    def _warn(self, sentence: str, part: str) -> None:
        short = part[:_LOST_CHARACTERS].strip()
        short += "…" if len(part) > _LOST_CHARACTERS else ""
        self._hint(sentence.format(short), "warning")

    def _hint(self, text: str, role: str = "caption") -> None:
        set_role(self.hint, role)
        self.hint.setText(text)

    # Examples and history.

    def _examples_loaded(self, examples: Examples) -> None:
        self._examples = examples

    @Slot()
    def _fill_examples(self) -> None:
        self.examples_menu.clear()
        if not self._examples:
            return
        for prompt in self._fitting_examples():
            short = prompt[: _MENU_CHARACTERS - 1] + "…"
            label = prompt if len(prompt) <= _MENU_CHARACTERS else short
            action = QAction(label.replace("&", "&&"), self.examples_menu)
            action.setToolTip(prompt)
            action.setData(prompt)
            self.examples_menu.addAction(action)

    @Slot()
    def take_example(self) -> None:
        """Fill in the first prompt that the chosen model can do; what is typed replaces it."""
        if self._examples:
            self.field.offer_text(self._fitting_examples()[0])
            self.field.setFocus()

    def _fitting_examples(self) -> list[str]:
        return examples_for(self._examples, self._draft.mode, self._draft.settings.model)

    @Slot()
    def _open_history(self) -> None:
        popup = HistoryPopup(self._history.load(), self)
        popup.chosen.connect(self._take)
        popup.open_below(self.history_button, self.width())

    @Slot(str)
    def _take(self, text: str) -> None:
        self.field.replace_text(text)
        self.field.setFocus()

    @Slot(int)
    def _browse(self, step: int) -> None:
        """Go to an older (1) or newer (-1) used prompt; before the newest is what was typed."""
        if not self._browsed:
            text = self.field.toPlainText()
            self._browsed = [text, *(old for old in self._history.load() if old != text)]
            self._place = 0
        place = self._place + step
        if 0 <= place < len(self._browsed):
            self._place = place
            self.field.replace_text(self._browsed[place])
            self.field.moveCursor(QTextCursor.MoveOperation.End)
