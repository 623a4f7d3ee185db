"""Small JSON files of things that can be measured again. Trouble with them is never an error."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from magi_engine import atomic
from magi_engine.json_text import read_json

logger = logging.getLogger(__name__)


def read_kept(path: Path) -> Any:
    """What ``keep`` wrote; None if the file is missing or damaged."""
    try:
        return read_json(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        logger.info("%s cannot be used: %s", path, error)
        return None


def keep(path: Path, data: Any) -> None:
    """Write JSON values so that the file never holds half of them."""
    try:
        atomic.write_text(path, json.dumps(data, indent=1))
    except OSError as error:
        logger.info("%s is not kept: %s", path, error)
