"""The settings of the next video, in one narrow column."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from magi_desktop.panels.advanced import AdvancedSection
from magi_desktop.panels.checks import Checks
from magi_desktop.panels.model_row import ModelRow
from magi_desktop.panels.preset_list import PresetList
from magi_desktop.panels.rows import LengthRow, QualityRow, SeedRow
from magi_desktop.panels.size_row import SizeRow
from magi_desktop.state.draft import Draft
from magi_desktop.state.models import Models
from magi_desktop.theme import tokens as t
from magi_desktop.widgets.layout import vbox


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
        self.model = ModelRow(draft, models, self)
        self.size_row = SizeRow(draft, self)
        self.length = LengthRow(draft, self)
        self.quality = QualityRow(draft, self)
        self.seed = SeedRow(draft, self)
        self.advanced = AdvancedSection(draft, presets, self.quality, self)
        self.presets = self.advanced.presets
        self.checks = Checks(draft, self)
        vbox(self, t.SPACE_4).add(
            self.presets.notice,
            self.model,
            self.size_row,
            self.length,
            self.quality,
            self.seed,
            self.checks,
            self.advanced,
        )
