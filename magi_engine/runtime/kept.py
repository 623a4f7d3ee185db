"""Small JSON files of things that can be measured again. Trouble with them is never an error."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


def read_kept(path: Path) -> Any:
    """What ``keep`` wrote; None if the file is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        logger.info("%s cannot be used: %s", path, error)
        return None


def keep(path: Path, data: Any) -> None:
    """Write JSON values so that the file never holds half of them."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(data, indent=1), encoding="utf-8")
        os.replace(fresh, path)
    except OSError as error:
        logger.info("%s is not kept: %s", path, error)
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
