"""What the dialogs about a part of a video share."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QComboBox, QWidget

from magi_desktop.state.job_words import transition_words
from magi_desktop.widgets.controls import name_control


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
