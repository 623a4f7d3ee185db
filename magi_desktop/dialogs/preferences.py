"""What the user prefers. Every change counts at once; there is nothing to confirm."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QSpinBox,
    QWidget,
)

from magi_desktop import background
from magi_desktop.dialogs.engine_place import EnginePlaceDialog
from magi_desktop.paths import Places
from magi_desktop.settings import Preferences
from magi_desktop.theme import tokens as t
from magi_desktop.translation import LANGUAGES, language_for, translated
from magi_desktop.widgets.controls import name_control, prepare_number, push_button, text_label
from magi_desktop.widgets.dialogs import folder_dialog
from magi_desktop.widgets.fitting import Sheet
from magi_desktop.widgets.layout import SHEET_MARGINS, STRETCH, Box, hbox, vbox
from magi_desktop.widgets.segmented import Segment, Segmented
from magi_engine.config.places import default_takes_dir
from magi_engine.errors import MagiError, OutputError
from magi_engine.runtime.machine.devices import ATTENTIONS
from magi_engine.takes.store import MOST_LIMIT_GB, TakeStore

_MEMORY_MB = (128, 16384)
_MEMORY_STEP_MB = 128
_SEVERAL_CARDS = (2, 4, 8)


def check_folder(folder: Path) -> None:
    """Try to write into a folder; makes it if need be.

    Raises:
        OutputError: it cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            "Nothing can be written to {folder}.", "Choose another folder.", folder=folder
        ) from error


class PreferencesDialog(Sheet):
    """Appearance, language, folder, preview, notifications, updates, memory, kept latents.

    Args:
        places: ``places.videos`` is where videos go while ``output_folder`` is empty.
        cards: device and name of every graphics card, where there are several.

    Signals:
        restart_wanted: the program is to end and begin again, in another language.
    """

    restart_wanted = Signal()

    def __init__(
        self,
        preferences: Preferences,
        places: Places,
        parent: QWidget | None = None,
        cards: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(parent)
        self._preferences, self._places = preferences, places
        self._takes = TakeStore(default_takes_dir())
        self.setWindowTitle(self.tr("Preferences"))
        self.setMinimumWidth(480)
        self._make_look()
        self._make_folder()
        self._make_engine()
        self._make_work(cards)
        close = push_button(self.tr("Close"), self.tr("Everything is kept already."), self)
        close.clicked.connect(self.accept)
        rooms = [self._row(self.tr("&Room for redoing videos"), self._takes_line)]
        if preferences.at_start.engine_address:  # it is kept there
            self._takes_line.hide()
            rooms = []
        vbox(self, t.SPACE_4, SHEET_MARGINS).add(
            text_label(self.tr("Preferences"), "title", self),
            self._row(self.tr("&Appearance"), self.appearance),
            self._row(self.tr("&Language"), self._language_line),
            self._row(self.tr("Videos are made &by"), self._engine_line),
            self._row(self.tr("&Folder for videos"), self._folder_line, self.note),
            self.live_preview,
            self.notify,
            self.look_for_updates,
            self._row(self.tr("&Memory for frames"), self._memory_line),
            *rooms,
            text_label(self.tr("Expert"), "heading", self),
            self._row(self.tr("A&ttention"), self.attention, self.attention_note),
            self._row(self.tr("&Graphics cards"), self.cards, self.cards_note),
            STRETCH,
            (close, 0, Qt.AlignmentFlag.AlignRight),
        )
        preferences.changed.connect(self.refresh)
        self.refresh()

    def _make_look(self) -> None:
        self.appearance = Segmented(
            [
                Segment("system", self.tr("System"), self.tr("As the system is set.")),
                Segment("light", self.tr("Light"), self.tr("Dark text on a light ground."), "sun"),
                Segment("dark", self.tr("Dark"), self.tr("Light text on a dark ground."), "moon"),
            ],
            self.tr("Appearance"),
            self,
        )
        self.appearance.chosen.connect(lambda value: self._preferences.set("appearance", value))
        self.language = QComboBox(self)
        self.language.addItem(self.tr("As the system"), "system")
        for code, name in LANGUAGES.items():
            self.language.addItem(name, code)
        name_control(
            self.language, self.tr("Language"), self.tr("The language of this program's window.")
        )
        self.language.activated.connect(self._language_chosen)
        self.restart_button = push_button(
            self.tr("Restart now"), self.tr("Ends the program and starts it again."), self
        )
        self.restart_button.clicked.connect(self.restart_wanted)
        self.restart_button.hide()
        self._language_line = QWidget(self)
        self._language_line.setFocusProxy(self.language)
        hbox(self._language_line, t.SPACE_2).add((self.language, 1), self.restart_button)

    def _make_folder(self) -> None:
        self._folder_line = QWidget(self)
        self.folder = QLineEdit(self)
        self.folder.setReadOnly(True)
        name_control(
            self.folder, self.tr("Folder for videos"), self.tr("New videos are written here.")
        )
        self.choose_button = push_button(
            self.tr("Choose…"), self.tr("Choose another folder for new videos."), self
        )
        self.choose_button.clicked.connect(self._ask_folder)
        self.usual_button = push_button(
            self.tr("Reset"), self.tr("Write videos to the usual folder again."), self, "quiet"
        )
        self.usual_button.clicked.connect(self._take_usual)
        hbox(self._folder_line, t.SPACE_2).add(
            (self.folder, 1), self.choose_button, self.usual_button
        )
        self._folder_line.setFocusProxy(self.choose_button)
        self.note = text_label("", "error", self)
        self.note.hide()

    def _make_engine(self) -> None:
        self._engine_line = QWidget(self)
        self.engine = QLineEdit(self)
        self.engine.setReadOnly(True)
        name_control(
            self.engine, self.tr("Where videos are made"), self.tr("The computer that makes them.")
        )
        self.engine_button = push_button(
            self.tr("Change…"), self.tr("Choose this computer or another one."), self
        )
        self.engine_button.clicked.connect(self._ask_engine)
        self.engine_restart = push_button(
            self.tr("Restart now"), self.tr("Ends the program and starts it again."), self
        )
        self.engine_restart.clicked.connect(self.restart_wanted)
        hbox(self._engine_line, t.SPACE_2).add(
            (self.engine, 1), self.engine_button, self.engine_restart
        )
        self._engine_line.setFocusProxy(self.engine_button)

    def _make_work(self, cards: Sequence[tuple[str, str]]) -> None:
        self.live_preview = self._check(
            "live_preview",
            self.tr("Show a rough &preview of what is being made"),
            self.tr("The preview takes little time; the finished frames replace it."),
        )
        self.notify = self._check(
            "notify",
            self.tr("&Notify me when a video is finished"),
            self.tr("Only while this window is not in front."),
        )
        self.look_for_updates = self._check(
            "look_for_updates",
            self.tr("Look for &updates once a day"),
            self.tr("Reads a list of versions on the web. Nothing is installed by itself."),
        )
        self.memory = self._number(_MEMORY_MB, self.tr(" MB"))
        self.memory.setSingleStep(_MEMORY_STEP_MB)
        name_control(
            self.memory,
            self.tr("Memory for frames"),
            self.tr("Frames beyond it are read from the file again when they are shown."),
        )
        self.memory.valueChanged.connect(
            lambda megabytes: self._preferences.set("frame_memory_mb", megabytes)
        )
        self._make_attention()
        self._make_cards(cards)
        self._memory_line = self._line(self.memory)
        self.takes_limit = self._number((0, MOST_LIMIT_GB), self.tr(" GB"))
        self.takes_limit.setValue(round(self._takes.limit_bytes / 1e9))
        name_control(
            self.takes_limit,
            self.tr("Room for redoing videos"),
            self.tr(
                "What is kept there lets videos be redone or extended without loss; the oldest "
                "go first. 0 keeps nothing."
            ),
        )
        self.takes_limit.editingFinished.connect(self._takes_limit_changed)
        self._takes_line = self._line(self.takes_limit)

    def _number(self, limits: tuple[int, int], suffix: str) -> QSpinBox:
        box = QSpinBox(self)
        box.setRange(*limits)
        box.setSuffix(suffix)
        prepare_number(box, 120)
        return box

    def _line(self, control: QWidget) -> QWidget:
        """A control at the left of its row."""
        line = QWidget(self)
        hbox(line).add(control, STRETCH)
        line.setFocusProxy(control)
        return line

    def _make_attention(self) -> None:
        self.attention = QComboBox(self)
        words = {
            "auto": self.tr("Fastest; may round to 8 bits"),
            "exact": self.tr("Exact"),
        }
        for choice in ATTENTIONS:
            self.attention.addItem(words.get(choice, choice), choice)
        name_control(
            self.attention,
            self.tr("Attention"),
            self.tr("Which kernel of the graphics card compares the parts of a video."),
        )
        self.attention.activated.connect(
            lambda index: self._preferences.set("attention", self.attention.itemData(index))
        )
        self.attention_note = text_label(
            self.tr("For NVIDIA graphics cards, from the next video on."), "caption", self
        )

    def _make_cards(self, cards: Sequence[tuple[str, str]]) -> None:
        self.cards = QComboBox(self)
        self.cards.addItem(self.tr("The best one") if cards else "1", "1")
        for device, name in cards:
            self.cards.addItem(f"{name} ({device})", device)
        for count in _SEVERAL_CARDS:
            self.cards.addItem(str(count), str(count))
        self.cards.addItem(self.tr("All"), "0")
        name_control(
            self.cards,
            self.tr("Graphics cards"),
            self.tr("Which of them makes videos, or how many together, where that is faster."),
        )
        self.cards.activated.connect(self._cards_chosen)
        self.cards_note = text_label(
            self.tr(
                "NVIDIA cards of one kind, on Linux; the line under Generate counts with them."
            ),
            "caption",
            self,
        )

    @Slot(int)
    def _cards_chosen(self, index: int) -> None:
        choice: str = self.cards.itemData(index)
        counted = choice.isdigit()
        self._preferences.set("card", "" if counted else choice)
        self._preferences.set("cards", int(choice) if counted else 1)

    def _check(self, name: str, text: str, hint: str) -> QCheckBox:
        box = QCheckBox(text, self)
        name_control(box, text.replace("&", ""), hint)
        box.toggled.connect(lambda on: self._preferences.set(name, on))
        return box

    def _row(self, title: str, control: QWidget, *below: QWidget) -> Box:
        label = QLabel(title, self)
        label.setBuddy(control)
        return vbox(spacing=t.SPACE_1).add(label, control, *below)

    @Slot()
    def refresh(self) -> None:
        """Show what the preferences hold."""
        get, began = self._preferences.get, self._preferences.at_start
        if get("appearance") in ("system", "light", "dark"):
            self.appearance.set_value(get("appearance"))
        with (
            QSignalBlocker(self.live_preview),
            QSignalBlocker(self.notify),
            QSignalBlocker(self.look_for_updates),
            QSignalBlocker(self.memory),
        ):
            self.language.setCurrentIndex(max(self.language.findData(get("language")), 0))
            self.live_preview.setChecked(get("live_preview"))
            self.notify.setChecked(get("notify"))
            self.look_for_updates.setChecked(get("look_for_updates"))
            self.memory.setValue(get("frame_memory_mb"))
            self.attention.setCurrentIndex(max(self.attention.findData(get("attention")), 0))
            choice = get("card") or str(get("cards"))
            self.cards.setCurrentIndex(max(self.cards.findData(choice), 0))
        self.engine.setText(get("engine_address").partition("#")[0] or self.tr("This computer"))
        self.engine_restart.setVisible(get("engine_address") != began.engine_address)
        another = language_for(get("language")) != language_for(began.language)
        self.restart_button.setVisible(another)
        folder = get("output_folder")
        self.folder.setText(folder or str(self._places.videos))
        self.usual_button.setVisible(bool(folder))

    def choose_folder(self, folder: Path) -> None:
        """Use a folder for videos if it can be written to; else say that it cannot."""

        def fits(_: None) -> None:
            self.note.hide()
            self._preferences.set("output_folder", str(folder))

        def fails(error: Exception) -> None:
            self.note.setText(translated(error))
            self.note.show()

        background.run(check_folder, folder, then=fits, failed=fails, owner=self)

    @Slot(int)
    def _language_chosen(self, index: int) -> None:
        self._preferences.set("language", self.language.itemData(index))

    @Slot()
    def _takes_limit_changed(self) -> None:
        chosen = self.takes_limit.value()
        if chosen == round(self._takes.limit_bytes / 1e9):  # perhaps of parts of a gigabyte
            return
        try:
            self._takes.limit_bytes = chosen * 1_000_000_000
        except MagiError as error:
            self.note.setText(translated(error))
            self.note.show()

    @Slot()
    def _ask_engine(self) -> None:
        EnginePlaceDialog(self._preferences, self._places, self).open()

    @Slot()
    def _ask_folder(self) -> None:
        title, now = self.tr("Folder for videos"), self.folder.text()
        folder_dialog(self, title, self.choose_folder, now).open()

    @Slot()
    def _take_usual(self) -> None:
        self.note.hide()
        self._preferences.set("output_folder", "")
        self.choose_button.setFocus()
