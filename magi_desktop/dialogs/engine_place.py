"""Where videos are made: this computer, or another one by its address and key."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFormLayout, QLabel, QLayout, QLineEdit, QMenu, QWidget

from magi_desktop import background
from magi_desktop.engines import Found, look_at, read_key, save_key, servers_nearby
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
        self._asking: background.Task | None = None
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
        self.address.home(False)
        self.address.setPlaceholderText("https://192.168.1.20:8611")
        name_control(
            self.address,
            self.tr("Address"),
            self.tr("The whole first line that 'magi serve' says."),
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
        self.look_button = push_button(
            self.tr("Look around"),
            self.tr("Finds computers in this network on which 'magi serve --announce' runs."),
            self,
        )
        self.look_button.clicked.connect(self.look)
        self.look_button.setVisible(importlib.util.find_spec("zeroconf") is not None)
        self.nearby = QMenu(self)
        self.nearby.triggered.connect(self._take)
        self.how = flowing_label(
            self.tr(
                "Start 'magi serve --host 0.0.0.0' on that computer: it says its address, and then "
                "which file holds the key."
            ),
            *("caption", self),
        )
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
        address_line = hbox(spacing=t.SPACE_2).add((self.address, 1), self.look_button)
        self._add_row(self.tr("&Address"), self.address, address_line)
        self._add_row(self.tr("&Key"), self.key, hbox().add(self.key))
        vbox(self, t.SPACE_3, SHEET_MARGINS).add(
            flowing_label(self.tr("Where videos are made"), "title", self),
            self.place,
            self.how,
            self._form,
            hbox(spacing=t.SPACE_3).add(
                (self.test_button, 0, Qt.AlignmentFlag.AlignTop), (self.found, 1)
            ),
            STRETCH,
            hbox(spacing=t.SPACE_2).add(STRETCH, self.cancel_button, self.use_button),
        )
        self.place.set_value(_THERE if self.address.text() else _HERE)
        self._follow()

    def _add_row(self, title: str, field: QWidget, line: QLayout) -> None:
        label = QLabel(title, self)
        label.setBuddy(field)
        label.setMinimumHeight(t.CONTROL_HEIGHT)
        self._form.addRow(label, line)

    def done(self, result: int) -> None:
        """Close; who was asked and has not answered yet is not used."""
        self._give_up()
        super().done(result)

    def _give_up(self) -> None:
        if self._asking is not None:
            self._asking.cancel()

    @Slot()
    def look(self) -> None:
        """Offer the computers of this network that announce themselves."""
        self._wait(self.tr("Looking…"))
        self._asking = background.run(
            servers_nearby, then=self._offer, failed=self._fail, owner=self
        )

    def _offer(self, servers: dict[str, str]) -> None:
        self._follow()
        self._say("" if servers else self.tr("No computer announces itself in this network."))
        self.nearby.clear()
        for name, address in servers.items():
            action = self.nearby.addAction(f"{name}  {address.partition('#')[0]}".replace("&", ""))
            action.setData(address)
        if servers:
            self.nearby.popup(self.look_button.mapToGlobal(self.look_button.rect().bottomLeft()))

    @Slot(QAction)
    def _take(self, action: QAction) -> None:
        self.address.setText(action.data())
        self.address.home(False)
        compare = self.tr("What that computer says has to end with: {pin}")
        pin = action.data().partition("#")[2]
        # It can be broken anywhere, and looks as it does there.
        self._say(compare.format(pin="\u200b".join(pin)) if pin else "")

    @Slot()
    def test(self) -> None:
        """Say what is there."""
        self._ask(self._show_found)

    @Slot()
    def submit(self) -> None:
        """Use it, if it answers."""
        address, key = self.address.text().strip(), self.key.text()
        if self.place.value == _HERE:
            self._keep("", "")
        else:  # what answers is kept, whatever is typed meanwhile
            self._ask(lambda _found: self._keep(address, key))

    def _ask(self, then: Callable[[Found], None]) -> None:
        self._wait(self.tr("Asking…"))

        def answered(found: Found) -> None:
            self._follow()
            self.use_button.setFocus()
            then(found)

        self._asking = background.run(
            *(look_at, self.address.text(), self.key.text(), self._places),
            then=answered,
            failed=self._fail,
            owner=self,
        )

    def _wait(self, text: str) -> None:
        self._give_up()
        self._say(text)
        for widget in (self.look_button, self.test_button, self.use_button):
            widget.setEnabled(False)

    def _keep(self, address: str, key: str) -> None:
        try:
            if address:
                save_key(self._places, key)
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
        for widget in (self.address, self.key, self.look_button, self.test_button):
            widget.setEnabled(there)
        self.how.setVisible(there)
        self.use_button.setEnabled(True)
        if not there:
            self._give_up()
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
        self.address.setFocus()
        self._say(translated(error), "error")

    def _say(self, text: str, role: str = "muted") -> None:
        set_role(self.found, role)
        self.found.setText(text)
