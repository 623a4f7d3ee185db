"""Text files that people have written, in whatever form an editor saves them."""

from __future__ import annotations

import codecs
from pathlib import Path


def read_text(path: Path, most_bytes: int, errors: str = "strict") -> str:
    """The text in the first bytes of a file, in UTF-8 or UTF-16; the file may have no end.

    Lines end as Python's do, whatever system the file comes from.

    Args:
        errors: as for ``bytes.decode``.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it has another encoding.
    """
    with path.open("rb") as file:
        data = file.read(most_bytes)
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = data.decode("utf-16" if wide else "utf-8-sig", errors)
    return text.replace("\r\n", "\n").replace("\r", "\n")
