"""The file that is written: frames per second, format, quality."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Slot
from PySide6.QtWidgets import QComboBox, QSpinBox, QWidget

from magi_desktop.panels.field import Field
from magi_desktop.panels.rows import slider
from magi_desktop.panels.values import choose, effective
from magi_desktop.state.draft import Draft
from magi_desktop.state.generation_settings import usual_crf
from magi_desktop.widgets.controls import SPIN_WIDTH, prepare_number
from magi_engine.runtime.request.validation import MAX_FPS

_FINEST_CRF = 10
"""Below it files grow and nothing more can be seen."""
_COARSEST_CRF = {"mp4": 40, "webm": 50}


class FpsRow(Field):
    def __init__(self, draft: Draft, parent: QWidget | None = None) -> None:
        super().__init__(draft, ("fps",), parent=parent)
        self.box = QSpinBox(self)
        self.box.setRange(1, MAX_FPS)
        prepare_number(self.box, SPIN_WIDTH)
        self.add_to_header(self.box)
        self.box.valueChanged.connect(lambda fps: choose(self.draft, fps=fps))
        self.set_up(
            self.tr("Frames per second"),
            self.box,
            self.tr(
                "How fast the frames are played; the model makes the same frames at any speed."
            ),
        )

    def refresh(self) -> None:
        usual = self.draft.config.runtime_config.fps
        chosen = effective(self.draft, "fps")
        with QSignalBlocker(self.box):
            self.box.setValue(chosen)
        if chosen == usual:
            self.say("")
        elif chosen < usual:
            self.say(self.tr("Slower than life: the model learned {} a second.").format(usual))
        else:
            self.say(self.tr("Faster than life: the model learned {} a second.").format(usual))


class FormatRow(Field):
    """What kind of file it becomes."""

    def __init__(self, draft: Draft, parent: QWidget | None = None) -> None:
        super().__init__(draft, ("file_format",), parent=parent)
        self.combo = QComboBox(self)
        for name, suffix in (
            (self.tr("MP4: plays everywhere"), "mp4"),
            (self.tr("WebM: for web pages"), "webm"),
            (self.tr("GIF: for messages, 256 colours"), "gif"),
            (self.tr("WebP: small animations"), "webp"),
            (self.tr("PNG: a folder of frames"), "png"),
        ):
            self.combo.addItem(name, suffix)
        self.combo.activated.connect(self._chosen)
        self.set_up(
            self.tr("File format"),
            self.combo,
            self.tr("The kind of file the video is written to."),
        )

    def refresh(self) -> None:
        self.combo.setCurrentIndex(self.combo.findData(self.draft.settings.file_format))

    @Slot(int)
    def _chosen(self, index: int) -> None:
        chosen = self.combo.itemData(index)
        if chosen != self.draft.settings.file_format:
            # The numbers of one format mean nothing in another.
            self.draft.set(file_format=chosen, crf=None)


class FileQualityRow(Field):
    """crf, turned round so that right is better."""

    def __init__(self, draft: Draft, parent: QWidget | None = None) -> None:
        super().__init__(draft, ("crf",), also=("file_format",), parent=parent)
        self.slider = slider(self, 0, 1)
        self.slider.valueChanged.connect(self._slid)
        self.set_up(
            self.tr("File quality"),
            self.slider,
            self.tr(
                "Better quality makes a larger file; the frames in this window are not affected."
            ),
        )

    def refresh(self) -> None:
        file_format = self.draft.settings.file_format
        usual = usual_crf(file_format)
        self.slider.setEnabled(usual is not None)
        if usual is None:
            self.value.setText("")
            self.say(self.tr("This format has no such setting."))
            return
        crf = usual if self.draft.settings.crf is None else self.draft.settings.crf
        coarsest = _COARSEST_CRF[file_format]
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, coarsest - _FINEST_CRF)
            self.slider.setValue(coarsest - crf)
        self.value.setText(self.tr("{0} · crf {1}").format(self._word(crf, usual), crf))
        self.slider.setAccessibleDescription(self.value.text())
        self.say("")

    def _word(self, crf: int, usual: int) -> str:
        if crf < usual - 3:
            return self.tr("Large file")
        if crf <= usual + 3:
            return self.tr("Like the original")
        return self.tr("Smaller file") if crf <= usual + 10 else self.tr("Smallest file")

    @Slot(int)
    def _slid(self, position: int) -> None:
        file_format = self.draft.settings.file_format
        crf = _COARSEST_CRF[file_format] - position
        self.draft.set(crf=None if crf == usual_crf(file_format) else crf)
