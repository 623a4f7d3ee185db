"""The row that all settings share: label, reset, control, and a sentence where one is needed."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import (
    QLabel,
    QLayout,
    QWidget,
)

from magi_desktop.state.draft import Draft
from magi_desktop.theme import tokens as t
from magi_desktop.widgets.controls import (
    WheelGuard,
    icon_button,
    line_label,
    name_control,
    set_role,
    text_label,
)
from magi_desktop.widgets.layout import STRETCH, hbox, vbox

_RESET_SIZE = 20


class Field(QWidget):
    """One setting: a label, a reset that shows when there is something to reset, a control.

    A subclass builds its control, calls :meth:`set_up`, and fills ``refresh``, which is called
    whenever one of its fields of the draft has changed.

    Args:
        names: fields of the draft that the reset button resets.
        also: further fields that the row depends on.
    """

    def __init__(
        self,
        draft: Draft,
        names: tuple[str, ...],
        also: tuple[str, ...] = (),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.draft = draft
        self.names = names
        self._watched = {*names, *also, "model", "config_path"}
        self.label = QLabel(self)
        self.value = line_label("", "muted", self)
        self.note = text_label("", "caption", self)
        self.note.hide()
        self.reset_button = icon_button("reset", "", "", self)
        self.reset_button.setProperty("kind", "")
        self.reset_button.setFixedSize(_RESET_SIZE, _RESET_SIZE)
        self.reset_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves it where it is
        self.reset_button.clicked.connect(self.reset)
        self.wheel_guard = WheelGuard(self)
        self._header = hbox(spacing=t.SPACE_1)
        # Its height stays the same whether or not the reset button shows.
        self._header.addStrut(_RESET_SIZE)
        self._header.add(self.label, self.reset_button, STRETCH, self.value)
        self.rows = vbox(self, t.SPACE_1).add(self._header)

    def set_up(
        self, title: str, control: QWidget, hint: str, within: QLayout | None = None
    ) -> None:
        """Put the parts together.

        Args:
            control: what the label's mnemonic leads to, and what is called ``title``; it goes below
                the label, unless it is in the label's line.
            hint: one sentence on what the setting does.
            within: what goes there instead, with the control in it.
        """
        self.wheel_guard.watch(control)
        self.label.setText(title)
        self.label.setBuddy(control)
        self.label.setToolTip(hint)
        plain = title.replace("&", "")
        name_control(control, plain, hint)
        name_control(
            self.reset_button,
            self.tr("Reset: {}").format(plain),
            self.tr("Go back to the usual value."),
        )
        if within is not None:
            self.rows.addLayout(within)
        elif self._header.indexOf(control) < 0:
            self.rows.addWidget(control)
        self.rows.addWidget(self.note)
        self.draft.changed.connect(self._draft_changed)
        self._update()

    def add_to_header(self, widget: QWidget) -> None:
        """Put a small control at the right end of the label's line."""
        self._header.addWidget(widget)

    def say(self, text: str, role: str = "caption") -> None:
        """Show a sentence below the control; an empty one shows nothing."""
        set_role(self.note, role)
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def refresh(self) -> None:
        raise NotImplementedError

    def can_reset(self) -> bool:
        """Whether something differs from its default."""
        return not all(self.draft.is_default(name) for name in self.names)

    @Slot()
    def reset(self) -> None:
        """Give the row's fields their defaults."""
        if self.reset_button.hasFocus():
            self.focusNextChild()  # before the button goes: to the row's first control
        self.draft.set(**{name: self.draft.default(name) for name in self.names})

    @Slot(str)
    def _draft_changed(self, name: str) -> None:
        if name in self._watched:
            self._update()

    def _update(self) -> None:
        self.reset_button.setVisible(self.can_reset())
        self.refresh()
