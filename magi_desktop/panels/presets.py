"""Named presets in one line: choose, save, rename, delete; and official configuration files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Slot
from PySide6.QtWidgets import QComboBox, QFileDialog, QListView, QMenu, QToolButton, QWidget

from magi_desktop import background
from magi_desktop.panels.official_files import Imported, read_config, write_config
from magi_desktop.panels.preset_list import (
    PresetList,
    fitting_settings,
    preset_values,
)
from magi_desktop.state.draft import Draft
from magi_desktop.state.generation_settings import GenerationSettings
from magi_desktop.theme import tokens as t
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import WheelGuard, icon_button, name_control
from magi_desktop.widgets.dialogs import file_dialog, text_dialog
from magi_desktop.widgets.layout import hbox, vbox
from magi_desktop.widgets.notice_bar import NoticeBar, Tone
from magi_engine.errors import MagiError


class PresetBar(QWidget):
    """Says which preset is in use; the menu beside it does the rest.

    Attributes:
        notice: what came of it; to be put where it is seen even if this bar is not.

    """

    def __init__(self, draft: Draft, presets: PresetList, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._draft = draft
        self.presets = presets
        self._target: str | None = None
        """The own preset that rename and delete are about."""
        self._make_choice()
        self.notice = NoticeBar(self)
        vbox(self, t.SPACE_2).add(
            hbox(spacing=t.SPACE_1).add((self.combo, 1), self.save_button, self.menu_button)
        )
        self.presets.changed.connect(self.refresh)
        draft.changed.connect(self._draft_changed)
        self.refresh()

    def _make_choice(self) -> None:
        self.combo = QComboBox(self)
        self.combo.setView(QListView(self.combo))
        self.combo.setMinimumContentsLength(8)
        policy = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self.combo.setSizeAdjustPolicy(policy)
        self.combo.activated.connect(lambda index: self.apply(self.combo.itemData(index)))
        name_control(
            self.combo,
            self.tr("Preset"),
            self.tr("Settings that you have kept under a name."),
        )
        self._wheel_guard = WheelGuard(self)
        self._wheel_guard.watch(self.combo)
        self.save_button = icon_button(
            "save",
            self.tr("Save as a preset"),
            self.tr("Keep the current settings under a name."),
            self,
        )
        self.save_button.clicked.connect(self._save_clicked)
        self.menu_button = icon_button(
            "more",
            self.tr("Presets and configuration files"),
            self.tr("Rename and delete presets, import and export official configurations."),
            self,
        )
        menu = QMenu(self.menu_button)
        menu.aboutToShow.connect(self._fill_menu)
        self.menu_button.setMenu(menu)
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)

    # Choosing.

    @Slot()
    def refresh(self) -> None:
        """Show which preset is in use."""
        values = preset_values(self._draft.settings)
        own = next((n for n in self.presets.names if self.presets.values(n) == values), None)
        self._target = own or (self._target if self._target in self.presets.names else None)
        with QSignalBlocker(self.combo):
            self.combo.clear()
            for name in self.presets.names:
                self.combo.addItem(name, name)
            self.combo.setCurrentIndex(self.combo.findData(own) if own else -1)
            some = bool(self.presets.names)
            self.combo.setEnabled(some)
            self.combo.setPlaceholderText(
                self.tr("Choose a preset") if some else self.tr("No presets yet")
            )

    def apply(self, name: str) -> None:
        """Use an own preset; one that does not fit any more changes nothing and says why."""
        before, go_back = self._draft.settings, self._draft.settings_back()
        self._target = name
        try:
            settings = fitting_settings(self.presets.values(name), before)
        except MagiError as error:
            self.refresh()
            text = self.tr("“{0}” does not fit any more: {1}").format(name, translated(error))
            self.notice.say(text, Tone.ERROR)
            return
        self._set(settings)
        if settings != before:
            self.notice.offer_undo(self.tr("“{}” is in use.").format(name), go_back)

    @Slot(str)
    def _draft_changed(self, name: str) -> None:
        if name in _SETTINGS_FIELDS:
            self.refresh()

    def _set(self, settings: GenerationSettings) -> None:
        self._draft.set(**{name: getattr(settings, name) for name in _SETTINGS_FIELDS})
        self.refresh()

    # Keeping.

    @Slot()
    def _save_clicked(self) -> None:
        self._ask(self.tr("Save as a preset"), self._target or "", self._save)

    @Slot()
    def _rename_clicked(self) -> None:
        assert self._target is not None
        self._ask(self.tr("Rename the preset"), self._target, partial(self._rename, self._target))

    def _ask(self, title: str, name: str, then: Callable[[str], None]) -> None:
        text_dialog(self, title, self.tr("Name of the preset:"), name, then).open()

    def _save(self, name: str) -> None:
        replaced = self.presets.values(name) if name in self.presets.names else None
        self.presets.put(name, preset_values(self._draft.settings))
        if replaced is not None:
            self.notice.offer_undo(
                self.tr("“{}” was replaced.").format(name),
                lambda: self.presets.put(name, replaced),
            )

    def _rename(self, old: str, name: str) -> None:
        if name != old and name in self.presets.names:
            self.notice.say(self.tr("There is a preset of that name already."), Tone.ERROR)
        else:
            self.presets.rename(old, name)

    @Slot()
    def _delete_clicked(self) -> None:
        assert self._target is not None
        name, values = self._target, self.presets.values(self._target)
        self.presets.remove(name)
        self.notice.offer_undo(
            self.tr("“{}” was deleted.").format(name), lambda: self.presets.put(name, values)
        )

    @Slot()
    def _fill_menu(self) -> None:
        # Made anew each time: PySide can lose actions that are kept for long.
        menu, name = self.menu_button.menu(), self._target
        menu.clear()
        rename = self.tr("&Rename the preset…")
        delete = self.tr("&Delete the preset")
        if name is not None:
            rename = self.tr("&Rename “{}”…").format(name)
            delete = self.tr("&Delete “{}”").format(name)
        for text, do in ((rename, self._rename_clicked), (delete, self._delete_clicked)):
            menu.addAction(text, do).setEnabled(name is not None)
        menu.addSeparator()
        menu.addAction(self.tr("&Import a configuration…"), self.ask_import)
        menu.addAction(self.tr("&Export as a configuration…"), self.ask_export)

    # Official configuration files.

    @Slot()
    def ask_import(self) -> None:
        """Let the user choose an official configuration."""
        take = partial(self.import_file, trusted=True)
        dialog = file_dialog(self, self.tr("Import a configuration"), take)
        dialog.setNameFilter(self.tr("Official configurations (*.json)"))
        dialog.open()

    @Slot()
    def ask_export(self) -> None:
        """Let the user choose where to write; the dialog asks before it replaces a file."""
        dialog = file_dialog(self, self.tr("Export as a configuration"), self.export_file)
        dialog.setFileMode(QFileDialog.FileMode.AnyFile)
        dialog.setNameFilter(self.tr("Official configurations (*.json)"))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("json")
        dialog.selectFile(f"{self._draft.settings.model}_config.json")
        dialog.open()

    def import_file(self, path: Path, trusted: bool = False) -> None:
        """Take over an official configuration, in the background; says what came of it.

        Args:
            trusted: the user went to get it; else it opens no file of another computer.
        """
        background.run(
            *(read_config, path, trusted),
            then=self._imported,
            failed=self.notice.say_error,
            owner=self,
        )

    def export_file(self, path: Path) -> None:
        """Write the settings as an official configuration, in the background; replaces a file."""

        def written(_: None) -> None:
            self.notice.say(self.tr("Saved as {}.").format(path.name))

        background.run(
            write_config,
            self._draft.settings,
            path,
            then=written,
            failed=self.notice.say_error,
            owner=self,
        )

    def _imported(self, found: Imported) -> None:
        before, go_back = self._draft.settings, self._draft.settings_back()
        own = GenerationSettings.of_model(found.values["model"], found.values["config_path"])
        kept = {name: getattr(before, name) for name in ("special_tokens", "file_format", "crf")}
        self._set(dataclasses.replace(own, **{**kept, **found.values}))
        text = self.tr("The settings are those of {}.")
        if found.as_file:
            text = self.tr("{} is used as it is, with the model it names.")
        self.notice.offer_undo(text.format(found.name), go_back)


_SETTINGS_FIELDS = tuple(field.name for field in dataclasses.fields(GenerationSettings))
