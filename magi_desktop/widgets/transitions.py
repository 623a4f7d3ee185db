"""How a new part of a video takes over from what comes before it, in words and to be chosen."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QComboBox, QWidget

from magi_desktop.widgets.controls import name_control
from magi_engine.sampling.schedule import Transition

translate = QCoreApplication.translate


def transition_words() -> dict[Transition, str]:
    """How a new part begins."""
    return {
        Transition.GO_ON: translate("Transitions", "goes on"),
        Transition.NEW_PLACE: translate("Transitions", "the same one in a new place"),
        Transition.NEW_ONE: translate("Transitions", "a new one in the same place"),
        Transition.CUT: translate("Transitions", "with a cut"),
    }


def transition_box(parent: QWidget) -> QComboBox:
    """A choice of how a new part begins; its data are :class:`Transition`."""
    box = QComboBox(parent)
    for transition, text in transition_words().items():
        box.addItem(text, transition)
    name_control(
        box,
        translate("Transitions", "How it begins"),
        translate("Transitions", "What the new part takes over from what comes before it."),
    )
    return box
