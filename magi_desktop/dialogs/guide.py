"""A short guide with pictures, in the language of the window."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QPixmap, QTextCursor, QTextDocument
from PySide6.QtWidgets import QTextBrowser, QWidget

from magi_desktop.theme import tokens as t
from magi_desktop.widgets.controls import name_control
from magi_desktop.widgets.fitting import Sheet
from magi_desktop.widgets.layout import vbox
from magi_engine.resources import resource_path

_WIDTH, _HEIGHT = 720, 760


class GuideDialog(Sheet):
    """Shows ``resources/guide`` as it is in a language.

    Args:
        language: such as "en"; one without a guide gets the English one.
    """

    def __init__(self, language: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Guide"))
        self.resize(_WIDTH, _HEIGHT)
        folder = resource_path("guide")
        text = folder / f"{language}.md"
        self.language = language if text.is_file() else "en"
        self.view = _Pages(folder / self.language, self)
        name_control(self.view, self.tr("Guide"), self.tr("How to make a video, step by step."))
        self.view.setMarkdown((folder / f"{self.language}.md").read_text(encoding="utf-8"))
        self._give_room()
        vbox(self, margins=t.SPACE_4).add(self.view)

    def _give_room(self) -> None:
        """Markdown has no distances: put some around headings and below paragraphs."""
        block = self.view.document().begin()
        while block.isValid():
            layout = block.blockFormat()
            layout.setTopMargin(t.SPACE_5 if layout.headingLevel() > 1 else 0)
            layout.setBottomMargin(t.SPACE_3)
            QTextCursor(block).setBlockFormat(layout)
            block = block.next()
        self.view.moveCursor(QTextCursor.MoveOperation.Start)


class _Pages(QTextBrowser):
    """A text whose pictures come from a folder, as large as what they show and never wider than
    the page."""

    def __init__(self, folder: Path, parent: QWidget) -> None:
        super().__init__(parent)
        self._folder = folder
        self.setOpenLinks(False)
        self.document().setDocumentMargin(t.SPACE_4)

    def loadResource(self, kind: int, name: QUrl | str) -> object:
        if kind != QTextDocument.ResourceType.ImageResource.value:
            return super().loadResource(kind, name)
        picture = QPixmap(str(self._folder / QUrl(name).toString()))
        ratio = self.devicePixelRatioF()
        width = min(picture.width(), _WIDTH - 2 * t.SPACE_4 - 2 * t.SPACE_4 - t.SPACE_5)
        mode = Qt.TransformationMode.SmoothTransformation
        picture = picture.scaledToWidth(round(width * ratio), mode)
        picture.setDevicePixelRatio(ratio)
        return picture
