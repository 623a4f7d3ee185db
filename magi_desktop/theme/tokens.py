"""The design's constants: colours of the light and the dark theme, spacing, radii, type sizes.

Every colour on the screen comes from here. ``tests/desktop/test_theme.py`` holds all pairs of text
and ground to the contrast that WCAG AA asks for.
"""

from __future__ import annotations

from dataclasses import dataclass

SPACE_1, SPACE_2, SPACE_3, SPACE_4, SPACE_5, SPACE_6 = 4, 8, 12, 16, 24, 32
"""Distances in logical pixels, smallest to largest."""

RADIUS_S, RADIUS_M, RADIUS_L = 4, 8, 12

FONT_CAPTION, FONT_BODY, FONT_HEADING, FONT_TITLE = 11, 13, 15, 20
"""Type sizes in logical pixels."""

CONTROL_HEIGHT = 32


@dataclass(frozen=True)
class Tokens:
    """Colours by what they are for, as ``#rrggbb``."""

    dark: bool
    window: str
    surface: str
    surface_raised: str
    surface_sunken: str
    surface_hover: str
    """The ground of what the pointer is on, or what runs: a step off window and surface."""
    border: str
    border_strong: str
    scroll: str
    """Handles of scroll bars at rest, which should not draw the eye."""
    text: str
    text_muted: str
    text_on_accent: str
    accent: str
    accent_hover: str
    accent_pressed: str
    accent_text: str
    """The accent as a text colour on surfaces."""
    accent_soft: str
    """A ground that hints at the accent: selected rows, drop targets."""
    success: str
    warning: str
    error: str
    overlay: str
    """The ground of what lies over the picture; drawn with some transparency."""
    canvas: str
    """Around the picture."""


LIGHT = Tokens(
    dark=False,
    window="#f3f4f7",
    surface="#ffffff",
    surface_raised="#ffffff",
    surface_sunken="#eceef3",
    surface_hover="#e7eaf0",
    border="#d9dde6",
    border_strong="#838ca0",
    scroll="#bcc3d0",
    text="#1a1d26",
    text_muted="#5a6375",
    text_on_accent="#ffffff",
    accent="#5b4be0",
    accent_hover="#4d3ed0",
    accent_pressed="#4032b8",
    accent_text="#4d3ed0",
    accent_soft="#e9e6fc",
    success="#17703c",
    warning="#845600",
    error="#b3261e",
    overlay="#14161c",
    canvas="#e4e7ee",
)

DARK = Tokens(
    dark=True,
    window="#14161b",
    surface="#1b1e25",
    surface_raised="#262a34",
    surface_sunken="#101216",
    surface_hover="#272b36",
    border="#2d323d",
    border_strong="#6b7487",
    scroll="#434a59",
    text="#e9ebf1",
    text_muted="#a0a9ba",
    text_on_accent="#ffffff",
    accent="#6b5ce7",
    accent_hover="#7062e9",
    accent_pressed="#5a4bd4",
    accent_text="#a99ffb",
    accent_soft="#2b2850",
    success="#5fce90",
    warning="#e9b454",
    error="#ff8a80",
    overlay="#2d323d",
    canvas="#0c0d11",
)
