"""What the dialogs share."""

from magi_desktop.widgets.controls import CopyButton, flowing_label, push_button, text_label

__all__ = ["CopyButton", "flowing_label", "push_button", "text_label"]
