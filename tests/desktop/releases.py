"""A place on the loopback where versions of the program are published."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tests.engine.install.hub_server import HubServer

INSTALLER = bytes(range(256)) * 8192


class ReleasePage(HubServer):
    """Serves ``latest.json`` and one installer for every kind."""

    def __init__(self, installer: bytes = INSTALLER) -> None:
        super().__init__({"installer": installer})
        self.announce(make_feed(self.url, installer=installer))

    @property
    def feed_url(self) -> str:
        """Of the list of versions."""
        return f"{self.url}/releases/resolve/latest/latest.json"

    def announce(self, feed: object) -> None:
        """Publish a list; bytes as they are."""
        self.files["latest.json"] = feed if isinstance(feed, bytes) else json.dumps(feed).encode()


def make_feed(base: str, version: str = "99.1.0", installer: bytes = INSTALLER) -> dict[str, Any]:
    """A right list, to be changed by tests."""
    entry = {
        "url": f"{base}/releases/resolve/latest/installer",
        "sha256": hashlib.sha256(installer).hexdigest(),
        "size_bytes": len(installer),
    }
    return {
        "schema": 1,
        "version": version,
        "page": f"{base}/releases/{version}",
        "notes": {"en": "Longer videos.", "zh_CN": "更长的视频。"},
        "installers": {kind: dict(entry) for kind in ("linux-deb", "linux-run", "windows-setup")},
    }
