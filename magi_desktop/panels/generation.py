"""The settings of the next video, in one narrow column."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

from magi_desktop.panels.checks import Checks
from magi_desktop.panels.model_row import ModelRow
from magi_desktop.panels.preset_list import PresetList
from magi_desktop.panels.rows import LengthRow, QualityRow, SeedRow
from magi_desktop.panels.section import Section
from magi_desktop.panels.size_row import SizeRow
from magi_desktop.state.draft import Draft
from magi_desktop.state.models import Models
from magi_desktop.theme import tokens as t
from magi_desktop.widgets.layout import vbox

if TYPE_CHECKING:
    from magi_desktop.panels.advanced import AdvancedRows
    from magi_desktop.panels.presets import PresetBar


class GenerationPanel(QWidget):
    """All settings. Has no margins and no scroll area of its own; usable from 280 px on.

    Args:
        presets: the named ones.

    """

    def __init__(
        self,
        draft: Draft,
        presets: PresetList,
        models: Models,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._draft, self._presets = draft, presets
        self.model = ModelRow(draft, models, self)
        self.size_row = SizeRow(draft, self)
        self.length = LengthRow(draft, self)
        self.quality = QualityRow(draft, self)
        self.seed = SeedRow(draft, self)
        self.checks = Checks(draft, self)
        self.advanced = Section(
            self.tr("&Advanced"),
            self.tr("Show or hide the settings that are seldom needed."),
            lambda: self.advanced_rows,
            self,
        )
        self._column = vbox(self, t.SPACE_4).add(
            self.model,
            self.size_row,
            self.length,
            self.quality,
            self.seed,
            self.checks,
            self.advanced,
        )

    @cached_property
    def advanced_rows(self) -> AdvancedRows:
        """Made after the first picture, which does not wait for them."""
        from magi_desktop.panels.advanced import AdvancedRows

        rows = AdvancedRows(self._draft, self._presets, self.quality, self)
        self._column.insertWidget(0, rows.presets.notice)
        return rows

    @property
    def presets(self) -> PresetBar:
        """Named settings, and configurations from files."""
        return self.advanced_rows.presets
