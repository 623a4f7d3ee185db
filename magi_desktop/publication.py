"""Where and how versions of the program are published; known to it and to ``packaging/``."""

from __future__ import annotations

RELEASES_URL = "https://github.com/magi-desktop/magi-desktop/releases"
"""Where versions are published: the one place that says so."""
FEED_NAME = "latest.json"
FEED_URL = f"{RELEASES_URL}/latest/download/{FEED_NAME}"
SCHEMA = 1
INSTALLERS = {
    "linux-deb": "magi-desktop_{}_amd64.deb",
    "linux-run": "magi-desktop-{}-x86_64.run",
    "windows-setup": "magi-desktop-{}-setup.exe",
}
"""Names of the files, by the kind of installer; with the version in the gap."""


def page_of(version: str) -> str:
    """The page of a version."""
    return f"{RELEASES_URL}/tag/v{version}"


def download_of(version: str, filename: str) -> str:
    """The address of a file of a version."""
    return f"{RELEASES_URL}/download/v{version}/{filename}"
