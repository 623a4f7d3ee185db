"""What this program is, what it stands on, and what to send when something is wrong."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from magi_desktop import background
from magi_desktop.theme import tokens as t
from magi_desktop.widgets.controls import CopyButton, name_control, push_button, text_label
from magi_desktop.widgets.fitting import Sheet
from magi_desktop.widgets.layout import SHEET_MARGINS, STRETCH, Box, hbox, vbox
from magi_engine import __version__
from magi_engine.config.registry import Registry

_DISTRIBUTION = "magi-desktop"
_LONGEST_LICENCE = 60
"""Some packages put the whole text where its name belongs."""


def third_party_notice() -> str:
    """The libraries this program uses, a line each with version and licence; reads the disk."""
    try:
        wanted = importlib.metadata.requires(_DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return ""
    lines = []
    for requirement in wanted:
        if "extra ==" in requirement:
            continue
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        try:
            about = importlib.metadata.metadata(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        lines.append(f"{about['Name']} {about['Version']} ({_licence(about)})")
    return "\n".join(sorted(lines, key=str.casefold))


def _licence(about: importlib.metadata.PackageMetadata) -> str:
    fields = about.json
    for value in (fields.get("license_expression"), fields.get("license")):
        if isinstance(value, str) and 0 < len(value) <= _LONGEST_LICENCE:
            return value
    classifiers = fields.get("classifier", [])
    named = [c.split(" :: ")[-1] for c in classifiers if c.startswith("License ::")]
    return ", ".join(named) or QCoreApplication.translate("AboutDialog", "see its own notice")


class AboutDialog(Sheet):
    """Version, licence, third-party notice, links, diagnostics.

    Args:
        diagnostics: gives the text to copy; called in the background.
    """

    def __init__(self, diagnostics: Callable[[], str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._diagnostics = diagnostics
        self.setWindowTitle(self.tr("About Magi Desktop"))
        self.setMinimumWidth(460)
        self.version = text_label(self.tr("Version {}").format(__version__), "muted", self)
        self.version.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        links = text_label(self._links(), "", self)
        links.setTextFormat(Qt.TextFormat.RichText)
        links.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        links.setOpenExternalLinks(True)
        name_control(
            links, self.tr("Links"), self.tr("Open the pages of the model in your browser.")
        )
        self.notice = QPlainTextEdit(self)
        self.notice.setReadOnly(True)
        self.notice.setTabChangesFocus(True)
        self.notice.setMinimumHeight(180)
        name_control(
            self.notice,
            self.tr("Third-party notice"),
            self.tr("The libraries this program uses, with their licences."),
        )
        vbox(self, t.SPACE_3, SHEET_MARGINS).add(
            text_label("Magi Desktop", "title", self),
            self.version,
            text_label(
                self.tr(
                    "Makes videos with MAGI-1 on your own computer. Free software under the "
                    "Apache License 2.0."
                ),
                "",
                self,
            ),
            links,
            text_label(self.tr("Built with"), "heading", self),
            (self.notice, 1),
            self._buttons(),
        )
        background.run(third_party_notice, then=self.notice.setPlainText, owner=self)

    def _links(self) -> str:
        known = Registry.load().entries
        releases = {e.release for e in known if e.release is not None and e.like is None}
        pages = [
            page
            for release in releases
            for page in (
                f"github.com/{release.special_tokens.github}",
                f"huggingface.co/{release.repository}",
            )
        ]
        return "<br>".join(f'<a href="https://{page}">{page}</a>' for page in pages)

    def _buttons(self) -> Box:
        self.copy_button = CopyButton(
            self.tr("Copy diagnostics"),
            self.tr("Put what helps to find a fault on the clipboard: versions and the log."),
            self,
        )
        self.copy_button.clicked.connect(
            lambda: background.run(self._diagnostics, then=self.copy_button.copy, owner=self)
        )
        close = push_button(self.tr("Close"), self.tr("Close this sheet."), self)
        close.clicked.connect(self.accept)
        return hbox().add(self.copy_button, STRETCH, close)
