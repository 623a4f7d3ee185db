"""The licence of a model, shown once before its first download."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from magi_desktop.state.model_words import size_text
from magi_desktop.theme import tokens as t
from magi_desktop.widgets.controls import flowing_label, push_button
from magi_desktop.widgets.fitting import Sheet
from magi_desktop.widgets.layout import SHEET_MARGINS, STRETCH, hbox, vbox
from magi_engine.config.registry import Release
from magi_engine.install.status import ModelStatus, licence_of

_WIDTH = 460


class LicenceDialog(Sheet):
    """Names the licence of a release and links to its text; accepted means accepted."""

    def __init__(
        self, status: ModelStatus, release: Release, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        entry = status.entry
        licence = licence_of(release)
        self.setWindowTitle(self.tr("Licence"))
        text = self.tr(
            "Its authors ({0}) publish it under the licence {1}. Downloading it means that you "
            "accept that licence. You are asked only once."
        ).format(release.repository, licence.title)
        self.link = flowing_label(f'<a href="{licence.url}">{licence.url}</a>', "", self)
        self.link.setTextFormat(Qt.TextFormat.RichText)
        self.link.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self.link.setOpenExternalLinks(True)
        self.link.setToolTip(self.tr("Opens the text of the licence in the browser."))
        self.link.setAccessibleName(self.tr("The text of the licence"))
        self.accept_button = push_button(
            self.tr("Accept and download ({})").format(size_text(status.missing_bytes)),
            self.tr("Accepts the licence and begins the download."),
            self,
            "primary",
        )
        self.accept_button.clicked.connect(self.accept)
        cancel = push_button(self.tr("Cancel"), self.tr("Nothing is downloaded."), self)
        cancel.clicked.connect(self.reject)
        column = vbox(self, t.SPACE_3, SHEET_MARGINS).add(
            flowing_label(self.tr("Licence of {}").format(entry.title), "title", self),
            flowing_label(text, "", self),
            self.link,
            STRETCH,
            t.SPACE_3,
            hbox(spacing=t.SPACE_2).add(STRETCH, cancel, self.accept_button),
        )
        self.resize(_WIDTH, column.totalHeightForWidth(_WIDTH))
        self.accept_button.setFocus()
