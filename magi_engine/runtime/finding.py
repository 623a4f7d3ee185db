"""What the doctor reports; apart from it, since showing a report needs no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        works: None where that is not the question.
        detail: a value, or why it does not work.
    """

    topic: str
    name: str
    works: bool | None
    detail: str
