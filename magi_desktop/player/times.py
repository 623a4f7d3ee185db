"""Times as the player writes them."""

from __future__ import annotations


def time_text(seconds: float) -> str:
    """``00:03.12``: minutes, seconds, hundredths; hours in front only when there are any."""
    hundredths = int(seconds * 100 + 0.5)
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    text = f"{minutes:02}:{rest // 100:02}.{rest % 100:02}"
    return f"{hours}:{text}" if hours else text
