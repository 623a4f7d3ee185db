"""What the dialogs share."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QTimer, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QSizePolicy, QWidget

from magi_desktop.state.job_words import transition_words
from magi_desktop.widgets.controls import name_control, wrapped_label

_COPIED_MS = 1500


def text_label(text: str, role: str, parent: QWidget) -> QLabel:
    """A label in one of the style sheet's roles that breaks its lines."""
    label = wrapped_label(role, parent)
    label.setText(text)
    return label


def flowing_label(text: str, role: str, parent: QWidget) -> QLabel:
    """The same where the height may follow the width: it takes no more room than its lines."""
    label = text_label(text, role, parent)
    policy = label.sizePolicy()
    policy.setVerticalPolicy(QSizePolicy.Policy.Preferred)
    label.setSizePolicy(policy)
    return label


def push_button(text: str, hint: str, parent: QWidget, kind: str = "") -> QPushButton:
    """A button that only Tab and clicks reach: Enter in a field does not press it."""
    button = QPushButton(text, parent)
    button.setAutoDefault(False)
    button.setProperty("kind", kind)
    name_control(button, text.replace("&", "").removesuffix("…"), hint)
    return button


def transition_box(parent: QWidget) -> QComboBox:
    """A choice of how a new part begins; its data are :class:`Transition`."""
    translate = QCoreApplication.translate
    box = QComboBox(parent)
    for transition, text in transition_words().items():
        box.addItem(text, transition)
    name_control(
        box,
        translate("Transitions", "How it begins"),
        translate("Transitions", "What the new part takes over from what comes before it."),
    )
    return box


class CopyButton(QPushButton):
    """Puts a text on the clipboard and says so for a moment."""

    def __init__(self, text: str, hint: str, parent: QWidget) -> None:
        super().__init__(text, parent)
        self.setAutoDefault(False)
        name_control(self, text.replace("&", ""), hint)
        self._label = text
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_COPIED_MS)
        self._timer.timeout.connect(self._restore)

    def copy(self, text: str) -> None:
        """Put ``text`` on the clipboard."""
        QGuiApplication.clipboard().setText(text)
        self.setText(self.tr("Copied"))
        self._timer.start()

    @Slot()
    def _restore(self) -> None:
        self.setText(self._label)
