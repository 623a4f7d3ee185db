"""The application's theme: follows the system's light or dark mode, makes the style sheet."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TypeVar

import shiboken6
from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

from magi_desktop.theme import tokens as t
from magi_desktop.theme.tokens import DARK, LIGHT, Tokens
from magi_engine.resources import resource_path

_Target = TypeVar("_Target", bound=QObject)


class Appearance(Enum):
    """What the user chose."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"

    @classmethod
    def _missing_(cls, value: object) -> Appearance:  # noqa: ARG003
        return cls.SYSTEM  # settings that were edited by hand


class Theme(QObject):
    """The colours now, and a signal for when they change."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.tokens: Tokens = LIGHT
        self.appearance = Appearance.SYSTEM
        """What was asked for."""
        self._followers: list[tuple[QObject, Callable[..., None]]] = []
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._system_changed)

    def apply(self, appearance: Appearance) -> None:
        """Use an appearance from now on, in all windows."""
        self.appearance = appearance
        dark = appearance is Appearance.DARK
        if appearance is Appearance.SYSTEM:
            dark = QGuiApplication.styleHints().colorScheme() is Qt.ColorScheme.Dark
        self.tokens = DARK if dark else LIGHT
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        focus = [window.focusWidget() for window in app.topLevelWidgets()]
        app.setPalette(_palette(self.tokens))
        app.setStyleSheet(style_sheet(self.tokens))
        self._followers = [(o, f) for o, f in self._followers if shiboken6.isValid(o)]
        for target, update in self._followers:
            update(target)
        for widget in focus:  # a box of buttons, built anew for its style, gives it to its first
            if widget is not None and shiboken6.isValid(widget):
                widget.setFocus()
        self.changed.emit()

    def follow(self, target: _Target, update: Callable[[_Target], None]) -> None:
        """Call ``update(target)`` at every change for as long as the target lives."""
        self._followers.append((target, update))

    @Slot()
    def _system_changed(self) -> None:
        if self.appearance is Appearance.SYSTEM:
            self.apply(self.appearance)


def theme() -> Theme:
    """The application's theme; made, in the system's appearance, when first asked for."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    found = app.findChild(Theme)
    if found is None:
        found = Theme(app)
        found.apply(Appearance.SYSTEM)
    return found


def _palette(k: Tokens) -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    for which, colour in (
        (role.Window, k.window),
        (role.WindowText, k.text),
        (role.Base, k.surface),
        (role.AlternateBase, k.surface_sunken),
        (role.Text, k.text),
        (role.PlaceholderText, k.text_muted),
        (role.Button, k.surface_raised),
        (role.ButtonText, k.text),
        (role.BrightText, k.error),
        (role.ToolTipBase, k.surface_raised),
        (role.ToolTipText, k.text),
        (role.Highlight, k.accent),
        (role.HighlightedText, k.text_on_accent),
        (role.Link, k.accent_text),
        (role.LinkVisited, k.accent_text),
    ):
        palette.setColor(which, QColor(colour))
    for which in (role.Text, role.WindowText, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, which, QColor(k.border_strong))
    return palette


def style_sheet(k: Tokens) -> str:
    icons = resource_path("icons").as_posix()
    shade = "dark" if k.dark else "light"
    return f"""
* {{ font-size: {t.FONT_BODY}px; }}
QMainWindow, QDialog {{ background: {k.window}; }}
QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
QToolTip {{ background: {k.surface_raised}; color: {k.text}; border: 1px solid {k.border_strong};
    padding: {t.SPACE_1}px {t.SPACE_2}px; }}

QLabel[role="title"] {{ font-size: {t.FONT_TITLE}px; font-weight: 600; }}
QLabel[role="heading"] {{ font-size: {t.FONT_HEADING}px; font-weight: 600; }}
QLabel[role="muted"] {{ color: {k.text_muted}; }}
QLabel[role="caption"] {{ color: {k.text_muted}; font-size: {t.FONT_CAPTION}px; }}
QLabel[role="error"] {{ color: {k.error}; }}
QLabel[role="warning"] {{ color: {k.warning}; }}
QLabel[role="success"] {{ color: {k.success}; }}
QLabel[role="key"] {{ background: {k.surface_raised}; border: 1px solid {k.border_strong};
    border-radius: {t.RADIUS_S}px; padding: 1px 6px; font-size: {t.FONT_CAPTION}px; }}

QFrame[role="card"] {{ background: {k.surface}; border: 1px solid {k.border};
    border-radius: {t.RADIUS_M}px; }}
QFrame[role="sunken"] {{ background: {k.surface_sunken}; border: 1px solid {k.border};
    border-radius: {t.RADIUS_M}px; }}
QFrame[role="floating"] {{ background: rgba({_rgb(DARK.surface)}, 200); border: none;
    border-radius: {t.RADIUS_L}px; }}
QFrame[role="floating"] QLabel, QFrame[role="floating"] QToolButton {{ background: transparent;
    color: {DARK.text}; }}
QFrame[role="floating"] QToolButton:hover {{ background: {DARK.surface_hover}; }}
QFrame[role="floating"] QToolButton:checked {{ background: {DARK.accent_soft}; }}

QPushButton {{ background: {k.surface_raised}; color: {k.text}; border: 1px solid {k.border};
    border-radius: {t.RADIUS_M}px; padding: 0 {t.SPACE_3}px;
    min-height: {t.CONTROL_HEIGHT - 2}px; }}
QPushButton:hover {{ border-color: {k.border_strong}; }}
QPushButton:pressed {{ background: {k.surface_sunken}; }}
QPushButton:checked {{ background: {k.accent_soft}; border-color: {k.accent}; }}
QPushButton:disabled {{ color: {k.border_strong}; }}
QPushButton:focus {{ border: 2px solid {k.accent}; padding: 0 {t.SPACE_3 - 1}px;
    min-height: {t.CONTROL_HEIGHT - 4}px; }}
QPushButton[kind="primary"] {{ background: {k.accent}; color: {k.text_on_accent};
    border: 1px solid {k.accent}; font-weight: 600; }}
QPushButton[kind="primary"]:hover {{ background: {k.accent_hover}; }}
QPushButton[kind="primary"]:pressed {{ background: {k.accent_pressed}; }}
QPushButton[kind="primary"]:focus {{ border: 2px solid {k.text}; }}
QPushButton[kind="primary"]:disabled {{ background: {k.surface_sunken}; border-color: {k.border};
    color: {k.border_strong}; }}
QPushButton[kind="quiet"] {{ background: transparent; border-color: transparent; }}
QPushButton[kind="quiet"]:hover {{ background: {k.surface_hover}; }}
QPushButton[kind="quiet"]:focus {{ border: 2px solid {k.accent}; }}
QPushButton::menu-indicator {{ image: none; width: 0; }}

QToolButton {{ background: transparent; border: 1px solid transparent;
    border-radius: {t.RADIUS_M}px; padding: {t.SPACE_1}px; }}
QToolButton[kind="icon"] {{ min-width: 22px; min-height: 22px; }}
QToolButton:hover {{ background: {k.surface_hover}; }}
QToolButton:pressed {{ background: {k.border}; }}
QToolButton:checked {{ background: {k.accent_soft}; border-color: {k.accent}; }}
QToolButton:focus {{ border-color: {k.accent}; }}
QToolButton[kind="section"] {{ font-weight: 600; padding: {t.SPACE_1}px 0; }}
QToolButton::menu-indicator {{ image: none; width: 0; }}

QLineEdit, QPlainTextEdit, QTextEdit, QSpinBox, QDoubleSpinBox, QComboBox {{
    background: {k.surface}; color: {k.text}; border: 1px solid {k.border_strong};
    border-radius: {t.RADIUS_M}px; padding: 0 {t.SPACE_2}px;
    placeholder-text-color: {k.text_muted};
    selection-background-color: {k.accent}; selection-color: {k.text_on_accent}; }}
QLineEdit, QSpinBox, QDoubleSpinBox, QComboBox {{ min-height: {t.CONTROL_HEIGHT - 2}px; }}
QPlainTextEdit, QTextEdit {{ padding: {t.SPACE_2}px; }}
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus,
QComboBox:focus {{ border-color: {k.accent}; }}
QLineEdit:disabled, QPlainTextEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled,
QComboBox:disabled {{ background: {k.window}; color: {k.border_strong};
    border-color: {k.border}; }}
QComboBox::drop-down {{ border: none; width: 24px; }}
QComboBox::down-arrow {{ image: url("{icons}/arrow-down-{shade}.svg"); width: 12px; height: 12px; }}
QComboBox QAbstractItemView {{ background: {k.surface_raised}; color: {k.text};
    border: 1px solid {k.border}; selection-background-color: {k.accent_soft};
    selection-color: {k.text}; outline: none; padding: {t.SPACE_1}px; }}
QSpinBox, QDoubleSpinBox {{ max-height: {t.CONTROL_HEIGHT - 2}px; }}
QSpinBox::up-button, QDoubleSpinBox::up-button, QSpinBox::down-button,
QDoubleSpinBox::down-button {{ background: transparent; border: none; width: 18px; }}
QSpinBox::up-arrow, QDoubleSpinBox::up-arrow {{ image: url("{icons}/arrow-up-{shade}.svg");
    width: 10px; height: 10px; }}
QSpinBox::down-arrow, QDoubleSpinBox::down-arrow {{ image: url("{icons}/arrow-down-{shade}.svg");
    width: 10px; height: 10px; }}
QSpinBox::up-arrow:disabled, QDoubleSpinBox::up-arrow:disabled, QSpinBox::down-arrow:disabled,
QDoubleSpinBox::down-arrow:disabled, QComboBox::down-arrow:disabled {{ image: none; }}

QCheckBox {{ spacing: {t.SPACE_2}px; min-height: 22px; }}
QCheckBox::indicator {{ width: 16px; height: 16px; border-radius: {t.RADIUS_S}px;
    border: 1px solid {k.border_strong}; background: {k.surface}; }}
QCheckBox::indicator:checked {{ background: {k.accent}; border-color: {k.accent};
    image: url("{icons}/tick.svg"); }}
QCheckBox:focus {{ color: {k.accent_text}; }}

QSlider::groove:horizontal {{ height: 4px; background: {k.border}; border-radius: 2px; }}
QSlider::sub-page:horizontal {{ background: {k.accent}; border-radius: 2px; }}
QSlider::handle:horizontal {{ width: 14px; height: 14px; margin: -5px 0; border-radius: 7px;
    background: {k.surface_raised}; border: 2px solid {k.accent}; }}
QSlider::handle:horizontal:focus {{ background: {k.accent}; }}
QSlider::sub-page:horizontal:disabled {{ background: {k.border_strong}; }}
QSlider::handle:horizontal:disabled {{ background: {k.window};
    border-color: {k.border_strong}; }}

QProgressBar {{ background: {k.border}; border: none; border-radius: 3px;
    min-height: 6px; max-height: 6px; text-align: center; color: transparent; }}
QProgressBar::chunk {{ background: {k.accent}; border-radius: 3px; }}

QScrollArea {{ border: none; background: transparent; }}
QScrollArea > QWidget > QWidget {{ background: transparent; }}
QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
QScrollBar::handle {{ background: {k.scroll}; border-radius: 3px; margin: 2px; }}
QScrollBar::handle:vertical {{ min-height: 32px; }}
QScrollBar::handle:horizontal {{ min-width: 32px; }}
QScrollBar::handle:hover {{ background: {k.text_muted}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}

QListView, QTreeView {{ background: {k.surface}; color: {k.text};
    border: 1px solid {k.border}; border-radius: {t.RADIUS_M}px; outline: none; }}
QListView::item:selected, QTreeView::item:selected {{ background: {k.accent_soft};
    color: {k.text}; }}
QListView::item:hover, QTreeView::item:hover {{ background: {k.surface_hover}; }}
QHeaderView::section {{ background: {k.surface_sunken}; color: {k.text_muted}; border: none;
    padding: {t.SPACE_1}px {t.SPACE_2}px; }}

QMenuBar {{ background: {k.window}; color: {k.text}; }}
QMenuBar::item {{ padding: {t.SPACE_1}px {t.SPACE_2}px; border-radius: {t.RADIUS_S}px; }}
QMenuBar::item:selected {{ background: {k.surface_hover}; }}
QMenu {{ background: {k.surface_raised}; color: {k.text}; border: 1px solid {k.border};
    padding: {t.SPACE_1}px; }}
QMenu::item {{ padding: 6px {t.SPACE_5}px 6px {t.SPACE_3}px; border-radius: {t.RADIUS_S}px; }}
QMenu::item:selected {{ background: {k.accent_soft}; }}
QMenu::item:disabled {{ color: {k.border_strong}; }}
QMenu::separator {{ height: 1px; background: {k.border}; margin: {t.SPACE_1}px {t.SPACE_2}px; }}

QTabWidget::pane {{ border: none; }}
QTabBar::tab {{ background: transparent; color: {k.text_muted}; border: none;
    border-bottom: 2px solid transparent; padding: {t.SPACE_2}px {t.SPACE_3}px; }}
QTabBar::tab:selected {{ color: {k.text}; border-bottom-color: {k.accent}; font-weight: 600; }}
QTabBar::tab:hover {{ color: {k.text}; }}
QTabBar::tab:focus {{ color: {k.accent_text}; }}

QSplitter::handle {{ background: transparent; }}
QSplitter::handle:hover {{ background: {k.border}; }}
"""


def _rgb(colour: str) -> str:
    """``27, 30, 37``, for a style sheet."""
    return ", ".join(str(int(colour[n : n + 2], 16)) for n in (1, 3, 5))
