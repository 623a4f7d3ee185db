"""A server on the loopback that speaks enough of the hub's protocol, and fails on demand."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


class HubServer(ThreadingHTTPServer):
    """Serves ``files`` (path -> bytes); faults are attributes, to be changed at any time."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.served: Counter[str] = Counter()
        self.piece, self.pause_s = 1 << 16, 0.0
        self.cut_after: int | None = None
        self.statuses: list[int] = []
        self.wrong: set[str] = set()
        self.redirects: dict[str, str] = {}
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is what is being tested."""


class _Handler(BaseHTTPRequestHandler):
    server: HubServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        if "/api/models/" in self.path:
            folder = unquote(self.path.split("?")[0].split("/tree/")[1].split("/", 1)[1])
            self._tree(folder)
        else:
            self._file(self.path.split("/resolve/")[1].split("/", 1)[1])

    def _tree(self, folder: str) -> None:
        entries = []
        for path, data in self.server.files.items():
            if path.rpartition("/")[0] == folder:
                sha1 = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
                entry = {"type": "file", "path": path, "size": len(data), "oid": sha1}
                if not path.endswith(".json"):
                    oid = hashlib.sha256(data).hexdigest()
                    entry["lfs"] = {"oid": oid, "size": len(data), "pointerSize": 130}
                entries.append(entry)
        body = json.dumps(entries).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _file(self, path: str) -> None:
        if self.server.statuses:
            self.send_response(self.server.statuses.pop(0))
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if path in self.server.redirects:
            self.send_response(302)
            self.send_header("Location", self.server.redirects[path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = self.server.files[path]
        start = int(self.headers.get("Range", "bytes=0-")[6:].rstrip("-"))
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        body = data[start:] if path not in self.server.wrong else bytes(len(data) - start)
        if self.server.cut_after is not None:
            body, self.server.cut_after = body[: self.server.cut_after], None
        for at in range(0, len(body), self.server.piece):
            piece = body[at : at + self.server.piece]
            self.wfile.write(piece)
            self.server.served[path] += len(piece)
            time.sleep(self.server.pause_s)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Tests are quiet."""
