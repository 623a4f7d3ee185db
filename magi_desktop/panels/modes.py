"""What the video starts from: text, an image or a video."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QWidget

from magi_desktop.state.draft import Draft
from magi_desktop.widgets.layout import vbox
from magi_desktop.widgets.segmented import Segment, Segmented
from magi_engine.runtime.request.request import Mode


class ModeSelector(QWidget):
    """Text, Image or Video, bound to the draft; each mode keeps what it holds."""

    def __init__(self, draft: Draft, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._draft = draft
        self._segments: Segmented[Mode] = Segmented(
            [
                Segment(
                    Mode.T2V,
                    self.tr("Text"),
                    self.tr("Make a video from words alone (Ctrl+1)."),
                    "text",
                ),
                Segment(
                    Mode.I2V,
                    self.tr("Image"),
                    self.tr("Make a picture come alive (Ctrl+2)."),
                    "image",
                ),
                Segment(
                    Mode.V2V,
                    self.tr("Video"),
                    self.tr("Go on where a video ends (Ctrl+3)."),
                    "video",
                ),
            ],
            self.tr("Start from"),
            self,
        )
        vbox(self).add(self._segments)
        self.setFocusProxy(self._segments)
        self._segments.chosen.connect(draft.set_mode)
        draft.mode_changed.connect(self._show)
        self._show(draft.mode)

    @Slot(object)
    def _show(self, mode: Mode) -> None:
        self._segments.set_value(mode)
