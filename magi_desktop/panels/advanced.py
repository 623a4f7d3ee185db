"""What few people need: presets, the file, guidance, and for experts how the model computes."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QLineEdit,
    QSlider,
    QSpinBox,
    QWidget,
)

from magi_desktop.panels.field import Field
from magi_desktop.panels.file_rows import FileQualityRow, FormatRow, FpsRow
from magi_desktop.panels.preset_list import PresetList
from magi_desktop.panels.presets import PresetBar
from magi_desktop.panels.rows import QualityRow, WindowRow, slider
from magi_desktop.panels.section import Section
from magi_desktop.panels.values import choose, effective
from magi_desktop.state.draft import Draft
from magi_desktop.theme import tokens as t
from magi_desktop.widgets.controls import SPIN_WIDTH, NumberBox, name_control, prepare_number
from magi_desktop.widgets.layout import hbox, vbox
from magi_engine.config.official import LAST_KV_RANGE, SHORTCUT_MODES
from magi_engine.model.special_tokens import SpecialToken

_MOST_CHUNKS_BACK = 32
_AS_BEFORE = 0
"""What the box of chunks holds for LAST_KV_RANGE."""


class ScaleRow(Field):
    """One guidance strength: a slider and a number. Off for distilled models."""

    def __init__(self, draft: Draft, name: str, most: float, step: float, parent: QWidget) -> None:
        super().__init__(draft, (name,), parent=parent)
        self._name, self._step = name, step
        self.slider: QSlider = slider(self, 0, round(most / step))
        self.slider.valueChanged.connect(lambda position: self._typed(position * self._step))
        self.box = NumberBox(self)
        self.box.setRange(0, most)
        self.box.setDecimals(2)
        self.box.setSingleStep(step)
        prepare_number(self.box, SPIN_WIDTH)
        self.box.valueChanged.connect(self._typed)
        self.wheel_guard.watch(self.slider)

    def finish(self, title: str, hint: str) -> ScaleRow:
        """Name the row."""
        controls = hbox(spacing=t.SPACE_2).add((self.slider, 1), self.box)
        self.set_up(title, self.box, hint, controls)
        name_control(self.slider, title.replace("&", ""), hint)
        return self

    def refresh(self) -> None:
        value = effective(self.draft, self._name)
        distilled = self.draft.config.engine_config.distill
        with QSignalBlocker(self.slider), QSignalBlocker(self.box):
            self.slider.setValue(round(value / self._step))
            self.box.setValue(value)
        self.slider.setEnabled(not distilled)
        self.box.setEnabled(not distilled)
        self.say(
            self.tr("Built into this model: it is distilled, and takes no other value.")
            if distilled
            else ""
        )

    @Slot(float)
    def _typed(self, value: float) -> None:
        choose(self.draft, **{self._name: round(value, 4)})


class LookBackRow(Field):
    """noise2clean_kvrange: for each stage of denoising, how many chunks are seen."""

    def __init__(self, draft: Draft, parent: QWidget) -> None:
        super().__init__(draft, ("noise2clean_kvrange",), parent=parent)
        self.edit = QLineEdit(self)
        self.edit.setPlaceholderText(self.tr("as far as there is"))
        self.edit.editingFinished.connect(self._typed)
        self.set_up(
            self.tr("Look back while denoising"),
            self.edit,
            self.tr("Chunks each chunk sees, itself included, from the noisiest stage on."),
        )

    def refresh(self) -> None:
        ranges = effective(self.draft, "noise2clean_kvrange")
        self.edit.setText(", ".join(str(chunks) for chunks in ranges))
        self.say(self.tr("One number for each stage, noisiest first."))

    @Slot()
    def _typed(self) -> None:
        parts = [part for part in self.edit.text().replace(",", " ").split() if part]
        if not all(part.isdecimal() and 1 <= int(part) <= _MOST_CHUNKS_BACK for part in parts):
            self.say(
                self.tr("Write numbers from 1 to {}, such as 5, 4, 3, 2.").format(
                    _MOST_CHUNKS_BACK
                ),
                "error",
            )
            return
        choose(self.draft, noise2clean_kvrange=tuple(int(part) for part in parts))
        self.refresh()


class CleanLookBackRow(Field):
    """clean_chunk_kvrange: how far finished chunks look back."""

    def __init__(self, draft: Draft, parent: QWidget) -> None:
        super().__init__(draft, ("clean_chunk_kvrange",), parent=parent)
        self.box = QSpinBox(self)
        self.box.setRange(_AS_BEFORE, _MOST_CHUNKS_BACK)
        self.box.setSpecialValueText(self.tr("as before"))
        prepare_number(self.box, SPIN_WIDTH)
        self.add_to_header(self.box)
        self.box.valueChanged.connect(self._typed)
        self.set_up(
            self.tr("Look back when finished"),
            self.box,
            self.tr(
                "Chunks a finished chunk sees, itself included, when it is remembered; “as "
                "before”: as many as in its last steps."
            ),
        )

    def refresh(self) -> None:
        with QSignalBlocker(self.box):
            chunks = effective(self.draft, "clean_chunk_kvrange")
            self.box.setValue(_AS_BEFORE if chunks == LAST_KV_RANGE else chunks)

    @Slot(int)
    def _typed(self, chunks: int) -> None:
        choose(self.draft, clean_chunk_kvrange=LAST_KV_RANGE if chunks == _AS_BEFORE else chunks)


class TokensRow(Field):
    """Special tokens in front of the caption."""

    def __init__(self, draft: Draft, parent: QWidget) -> None:
        super().__init__(draft, ("special_tokens",), parent=parent)
        # In the order of the default, so that switching one off and on again is no change.
        labels = {
            SpecialToken.HQ: (
                self.tr("High quality"),
                self.tr("Asks for a clean, sharp picture."),
            ),
            SpecialToken.DURATION: (
                self.tr("Knows the length"),
                self.tr("Tells the model how much of the video is still to come."),
            ),
            SpecialToken.STATIC_FIRST_FRAMES: (
                self.tr("Still start"),
                self.tr("The first frames hardly move."),
            ),
            SpecialToken.DYNAMIC_FIRST_FRAMES: (
                self.tr("Lively start"),
                self.tr("There is motion from the first frame on."),
            ),
            SpecialToken.TWO_D_ANIME: (
                self.tr("2D anime"),
                self.tr("Drawn like an animated film."),
            ),
            SpecialToken.THREE_D_MODEL: (
                self.tr("3D model"),
                self.tr("Looks like computer animation."),
            ),
            SpecialToken.BORDERNESS: (
                self.tr("Borders"),
                self.tr("The token the model learned for pictures with borders."),
            ),
        }
        self.boxes: dict[str, QCheckBox] = {}
        grid = QGridLayout()
        grid.setSpacing(t.SPACE_1)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)
        for index, (token, (name, hint)) in enumerate(labels.items()):
            box = QCheckBox(name, self)
            name_control(box, name, hint)
            box.clicked.connect(self._clicked)
            grid.addWidget(box, index // 2, index % 2)
            self.boxes[token.value] = box
        first = next(iter(self.boxes.values()))
        hint = first.toolTip()
        self.set_up(self.tr("Special tokens"), first, hint, grid)
        first.setAccessibleName(first.text())

    def refresh(self) -> None:
        chosen = self.draft.settings.special_tokens
        for name, box in self.boxes.items():
            box.setChecked(name in chosen)

    @Slot()
    def _clicked(self) -> None:
        others = [n for n in self.draft.settings.special_tokens if n not in self.boxes]
        chosen = [name for name, box in self.boxes.items() if box.isChecked()]
        self.draft.set(special_tokens=(*chosen, *others))


class NegativeTokensRow(Field):
    """The release's NEG_PROMPT: what the forwards without prompt know to stay away from."""

    def __init__(self, draft: Draft, parent: QWidget) -> None:
        super().__init__(draft, ("negative_tokens",), parent=parent)
        self.box = QCheckBox(self.tr("No captions, logos, cuts or borders"), self)
        self.box.clicked.connect(self._clicked)
        self.set_up(
            self.tr("Negative tokens"),
            self.box,
            self.tr(
                "Shows a base model what to stay away from: writing in the picture, logos, "
                "transitions and borders. It is guided from there towards the prompt."
            ),
        )

    def refresh(self) -> None:
        distilled = self.draft.config.engine_config.distill
        self.box.setChecked(self.draft.settings.negative_tokens)
        self.box.setEnabled(not distilled or self.box.isChecked())
        self.say(
            self.tr("Only for base models: a distilled one always has the prompt.")
            if distilled
            else self.tr("The model is guided away from them, at no cost in time.")
        )

    @Slot()
    def _clicked(self) -> None:
        self.draft.set(negative_tokens=self.box.isChecked())


class ShortcutRow(Field):
    """shortcut_mode: where the large and the small steps lie."""

    def __init__(self, draft: Draft, parent: QWidget) -> None:
        super().__init__(draft, ("shortcut_mode",), also=("num_steps",), parent=parent)
        self.combo = QComboBox(self)
        for mode in SHORTCUT_MODES:
            self.combo.addItem(mode.replace(",", ", "), mode)
        self.combo.activated.connect(self._chosen)
        self.set_up(
            self.tr("Shortcut steps"),
            self.combo,
            self.tr("Whether large steps come first or last, as one part of so many."),
        )

    def refresh(self) -> None:
        mode = effective(self.draft, "shortcut_mode")
        self.combo.setCurrentIndex(self.combo.findData(mode))
        self.say(self.tr("Matters for numbers of steps that divide by 3, such as 12."))

    @Slot(int)
    def _chosen(self, index: int) -> None:
        choose(self.draft, shortcut_mode=self.combo.itemData(index))


class AdvancedRows(QWidget):
    """What is seldom needed, and in it, for those who know the model from inside, Expert.

    Args:
        quality: whose steps move with the window.
    """

    def __init__(
        self,
        draft: Draft,
        presets: PresetList,
        quality: QualityRow,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.presets = PresetBar(draft, presets, self)
        self.fields: list[Field] = [
            FormatRow(draft, self),
            FileQualityRow(draft, self),
            FpsRow(draft, self),
            ScaleRow(draft, "text_scale", 20.0, 0.5, self).finish(
                self.tr("Prompt strength"),
                self.tr("How closely the video follows the prompt; too much looks harsh."),
            ),
            ScaleRow(draft, "prev_chunk_scale", 5.0, 0.1, self).finish(
                self.tr("Continuity"),
                self.tr("How closely each second follows the one before it."),
            ),
            TokensRow(draft, self),
            NegativeTokensRow(draft, self),
        ]
        self.expert = Section(
            self.tr("E&xpert"),
            self.tr("Show or hide how the model computes a video."),
            lambda: ExpertRows(draft, quality),
            self,
        )
        vbox(self, t.SPACE_4).add(self.presets, *self.fields, self.expert)


class ExpertRows(QWidget):
    """How the model computes."""

    def __init__(self, draft: Draft, quality: QualityRow) -> None:
        super().__init__()
        self.window_row = WindowRow(draft, quality, self)
        self.fields: list[Field] = [
            self.window_row,
            LookBackRow(draft, self),
            CleanLookBackRow(draft, self),
            ShortcutRow(draft, self),
        ]
        vbox(self, t.SPACE_4).add(*self.fields)
