"""The prompts that were used, kept in the settings file."""

from __future__ import annotations

from magi_desktop.settings import SettingsFile

MAX_PROMPTS = 100
_SECTION = "prompt_history"


class PromptHistory:
    """The last hundred different prompts, for good."""

    def __init__(self, file: SettingsFile) -> None:
        self._file = file

    def load(self) -> list[str]:
        """The prompts, each once, newest first; nonsense in the file is left out."""
        saved = self._file.section(_SECTION).get("prompts")
        return [text for text in saved if isinstance(text, str)] if isinstance(saved, list) else []

    def add(self, text: str) -> None:
        """Keep a prompt as the newest; an empty one is not worth keeping."""
        text = text.strip()
        if text:
            kept = [text, *(old for old in self.load() if old != text)][:MAX_PROMPTS]
            self._file.set_section(_SECTION, {"prompts": kept})
