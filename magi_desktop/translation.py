"""The interface's language."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator

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
