"""Where videos are made: this computer, or another one by its address and key."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QFormLayout, QLabel, QLineEdit, QWidget

from magi_desktop import background
from magi_desktop.engines import Found, look_at, read_key, save_key
from magi_desktop.paths import Places
from magi_desktop.settings import Preferences
from magi_desktop.theme import tokens as t
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import flowing_label, name_control, push_button, set_role
from magi_desktop.widgets.fitting import Sheet
from magi_desktop.widgets.layout import SHEET_MARGINS, STRETCH, hbox, vbox
from magi_desktop.widgets.segmented import Segment, Segmented
from magi_engine.messages import Message

_WIDTH = 520
_HERE, _THERE = "here", "there"


class EnginePlaceDialog(Sheet):
    """Takes another engine once it has answered. It counts from the next start on.

    Signals:
        changed: another engine was chosen.
    """

    changed = Signal()

    def __init__(
        self, preferences: Preferences, places: Places, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._preferences, self._places = preferences, places
        self.setWindowTitle(self.tr("Where videos are made"))
        self.setMinimumWidth(_WIDTH)
        self.place = Segmented(
            [
                Segment(_HERE, self.tr("This computer"), self.tr("With its own graphics card.")),
                Segment(
                    _THERE,
                    self.tr("Another computer"),
                    self.tr("On which 'magi serve' runs; the videos come here."),
                ),
            ],
            self.tr("Where videos are made"),
            self,
        )
        self.place.chosen.connect(self._follow)
        self.address = QLineEdit(preferences.get("engine_address"), self)
        self.address.setPlaceholderText("https://192.168.1.20:8611")
        name_control(
            self.address, self.tr("Address"), self.tr("The first line that 'magi serve' says.")
        )
        self.key = QLineEdit(read_key(places), self)
        self.key.setEchoMode(QLineEdit.EchoMode.Password)
        name_control(
            self.key, self.tr("Key"), self.tr("From the file that 'magi serve' names; keep it.")
        )
        self.test_button = push_button(
            self.tr("Test"), self.tr("Asks that computer what it has."), self
        )
        self.test_button.clicked.connect(self.test)
        self.found = flowing_label("", "muted", self)
        self.cancel_button = push_button(self.tr("Cancel"), self.tr("Changes nothing."), self)
        self.cancel_button.clicked.connect(self.reject)
        self.use_button = push_button(
            self.tr("Use"), self.tr("From the next start of this program on."), self, "primary"
        )
        self.use_button.clicked.connect(self.submit)
        self.use_button.setDefault(True)
        self._form = QFormLayout()
        self._form.setVerticalSpacing(t.SPACE_3)
        self._form.setHorizontalSpacing(t.SPACE_3)
        for title, field in ((self.tr("&Address"), self.address), (self.tr("&Key"), self.key)):
            label = QLabel(title, self)
            label.setBuddy(field)
            label.setMinimumHeight(t.CONTROL_HEIGHT)
            self._form.addRow(label, field)
        vbox(self, t.SPACE_3, SHEET_MARGINS).add(
            flowing_label(self.tr("Where videos are made"), "title", self),
            self.place,
            self._form,
            hbox(spacing=t.SPACE_3).add(
                (self.test_button, 0, Qt.AlignmentFlag.AlignTop), (self.found, 1)
            ),
            STRETCH,
            hbox(spacing=t.SPACE_2).add(STRETCH, self.cancel_button, self.use_button),
        )
        self.place.set_value(_THERE if self.address.text() else _HERE)
        self._follow()

    @Slot()
    def test(self) -> None:
        """Say what is there."""
        self._ask(self._show_found)

    @Slot()
    def submit(self) -> None:
        """Use it, if it answers."""
        if self.place.value == _HERE:
            self._keep("")
        else:
            self._ask(lambda _found: self._keep(self.address.text().strip()))

    def _ask(self, then: Callable[[Found], None]) -> None:
        self._say(self.tr("Asking…"))
        for widget in (self.test_button, self.use_button):
            widget.setEnabled(False)

        def answered(found: Found) -> None:
            self._follow()
            then(found)

        background.run(
            *(look_at, self.address.text(), self.key.text(), self._places),
            then=answered,
            failed=self._fail,
            owner=self,
        )

    def _keep(self, address: str) -> None:
        try:
            if address:
                save_key(self._places, self.key.text())
        except OSError as error:
            self._fail(error)
            return
        if address != self._preferences.get("engine_address"):
            self._preferences.set("engine_address", address)
        self.changed.emit()
        self.accept()

    @Slot()
    def _follow(self) -> None:
        there = self.place.value == _THERE
        for widget in (self.address, self.key, self.test_button):
            widget.setEnabled(there)
        self.use_button.setEnabled(True)
        if not there:
            self._say("")

    def _show_found(self, found: Found) -> None:
        facts = found.facts
        free = facts.ram_free_bytes if facts.vram_free_bytes is None else facts.vram_free_bytes
        self._say(
            self.tr("{card}, {free} free. Models: {models}. Videos waiting: {count}.").format(
                card=facts.device_name,
                free=Message("{free:bytes}", free=free),
                models=", ".join(found.models) or self.tr("none"),
                count=found.videos_waiting,
            )
        )

    def _fail(self, error: Exception) -> None:
        self._follow()
        self._say(translated(error), "error")

    def _say(self, text: str, role: str = "muted") -> None:
        set_role(self.found, role)
        self.found.setText(text)
