"""The interface's language, and what the engine says in it."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator

from magi_engine.errors import message_of
from magi_engine.messages import Message
from magi_engine.resources import resource_path

LANGUAGES = {"en": "English", "zh_CN": "简体中文"}
"""Code and own name of every language there is."""


def language_for(wish: str) -> str:
    """The language to use: ``wish``, or for "system" the one closest to the system's."""
    if wish in LANGUAGES:
        return wish
    for name in QLocale.system().uiLanguages():
        if name.startswith("zh") and "Hant" not in name and not name.endswith(("TW", "HK")):
            return "zh_CN"
        if name.startswith("en"):
            return "en"
    return "en"


def install(wish: str) -> str:
    """Translate everything made from now on; returns the language in use."""
    language = language_for(wish)
    QLocale.setDefault(QLocale(language))
    app = QCoreApplication.instance()
    qt_folder = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
    for name, folder in (
        (f"qtbase_{language}", qt_folder),
        (f"magi_{language}", str(resource_path("translations"))),  # English: only its plurals
    ):
        translator = QTranslator(app)
        if translator.load(name, folder):
            QCoreApplication.installTranslator(translator)
    return language


def translated(said: Message | Exception) -> str:
    """A message, or what an error says, in the language of the window."""
    message = message_of(said) if isinstance(said, Exception) else said
    return message.rendered(lambda text: QCoreApplication.translate("Messages", text))
