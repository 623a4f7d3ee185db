"""A server on the loopback that speaks enough of the hub's protocol, and fails on demand."""

from __future__ import annotations

import hashlib
import json
import ssl
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

COMMIT = "1234567890abcdef1234567890abcdef12345678"


class HubServer(ThreadingHTTPServer):
    """Serves ``files`` (path -> bytes) in every repository.

    Faults are attributes, to be changed at any time.

    Attributes:
        served: bytes sent, by file. Of a connection that was cut some never came: where a download
            goes on is what ``starts`` says.
        starts: the offsets that were asked for, by file.
        headers: of every request, with its path.
        piece, pause_s: how much is sent at once, and how long it rests in between.
        cut_after: the next answer with a larger file ends after so many bytes.
        cut_every: every answer with a file does.
        statuses: what the next requests for files get instead of one.
        retry_after: what they are told then, with the server's own time of day.
        tree_statuses: the same for lists of files.
        wrong: files that are sent with other bytes than announced.
        gone: files that are listed, but not there.
        stall_at: so many bytes in all are sent; then nothing more comes until ``go_on`` is set.
        on_cut: told the file that was cut; what it does happens before anything else is asked.
        swapped: files that are other ones now, as the labels of answers say.
        ranges: whether a part of a file can be asked for.
        html: whether everything is answered with a page, as the network of a hotel does.
        denied: status and the hub's own word for it, for everything that is asked.
        licence: of every repository.
        more: entries that come at the end of every list.
    """

    daemon_threads = True

    def __init__(self, files: dict[str, bytes], certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.served: Counter[str] = Counter()
        self.starts: defaultdict[str, list[int]] = defaultdict(list)
        self.headers: list[tuple[str, Message]] = []
        self.piece, self.pause_s = 1 << 16, 0.0
        self.cut_after: int | None = None
        self.cut_every: int | None = None
        self.stall_at: int | None = None
        self.stalled, self.go_on = threading.Event(), threading.Event()
        self.statuses: list[int] = []
        self.tree_statuses: list[int] = []
        self.retry_after, self.date = "0", "Fri, 27 Nov 2026 12:00:00 GMT"
        self.wrong: set[str] = set()
        self.gone: set[str] = set()
        self.on_cut: Callable[[str], object] = lambda _path: None
        self.swapped: set[str] = set()
        self.ranges, self.html = True, False
        self.denied: tuple[int, str] | None = None
        self.licence = "apache-2.0"
        self.more: list[dict[str, object]] = []
        self.redirects: dict[str, str] = {}
        self._scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self._scheme = "https"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.server_address[1]}"

    def went_on(self, folder: Path, again: Callable[[], object]) -> bool:
        """Whether a download that is begun again asks for nothing that lies in its folder."""
        here = {path: _bytes_here(folder / path) for path in self.files}
        asked = {path: len(starts) for path, starts in self.starts.items()}
        again()
        begun = {path: self.starts[path][asked.get(path, 0) :][:1] for path in self.files}
        return begun == {
            path: [] if here[path] == len(data) else [here[path]]
            for path, data in self.files.items()
        }

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is what is being tested."""


def _bytes_here(path: Path) -> int:
    """Of a file, or of the part of it that a download has left beside it."""
    found = [path] if path.exists() else [*path.parent.glob(f"{path.name}.*.part")]
    return sum(file.stat().st_size for file in found)


class _Handler(BaseHTTPRequestHandler):
    server: HubServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_HEAD(self) -> None:
        self._answer(200, b"")

    def do_GET(self) -> None:
        path = unquote(self.path.split("?")[0].removeprefix(self.server.url))
        self.server.headers.append((path, self.headers))
        if self.server.html:
            self._answer(200, b"<html>Please sign in</html>", "text/html; charset=utf-8")
        elif self.server.denied is not None:
            status, code = self.server.denied
            self._answer(status, b"{}", extra={"X-Error-Code": code})
        elif "/tree/" in path and self.server.tree_statuses:
            self._busy(self.server.tree_statuses.pop(0))
        elif "/tree/" in path:
            _, _, folder = path.partition("/tree/")[2].partition("/")
            self._tree(folder)
        elif path.startswith("/api/models/"):
            card = {"license": self.server.licence}
            self._answer_json({"id": "x/y", "sha": COMMIT, "cardData": card, "siblings": []})
        else:
            self._file(path.split("/resolve/")[1].split("/", 1)[1])

    def _tree(self, folder: str) -> None:
        deep = "recursive=true" in self.path.lower()
        entries = []
        for path, data in self.server.files.items():
            if path.rpartition("/")[0] == folder or (deep and path.startswith(folder)):
                sha1 = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
                entry = {"type": "file", "path": path, "size": len(data), "oid": sha1}
                if not path.endswith(".json"):
                    oid = hashlib.sha256(data).hexdigest()
                    entry["lfs"] = {"oid": oid, "size": len(data), "pointerSize": 130}
                entries.append(entry)
        if entries:
            self._answer_json([*entries, *self.server.more])
        else:
            self._answer(404, b"{}", extra={"X-Error-Code": "EntryNotFound"})

    def _file(self, path: str) -> None:
        server = self.server
        if server.statuses:
            self._busy(server.statuses.pop(0))
            return
        if path in server.redirects:
            self._answer(302, b"", extra={"Location": server.redirects[path]})
            return
        if path in server.gone or path not in server.files:
            self._answer(404, b"", extra={"X-Error-Code": "EntryNotFound"})
            return
        data = server.files[path]
        start = int(self.headers.get("Range", "bytes=0-")[6:].rstrip("-"))
        server.starts[path].append(start)
        start = start if server.ranges else 0
        self.send_response(206 if server.ranges else 200)
        if server.ranges:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("ETag", '"other"' if path in server.swapped else '"same"')
        self.end_headers()
        body = data[start:] if path not in server.wrong else bytes(len(data) - start)
        end = server.cut_every
        if server.cut_after is not None and server.cut_after < len(body):
            end, server.cut_after = server.cut_after, None
            server.on_cut(path)
        go_on = server.go_on
        for at in range(0, len(body[:end]), server.piece):
            if server.stall_at is not None and sum(server.served.values()) >= server.stall_at:
                server.stalled.set()
                go_on.wait()
            piece = body[:end][at : at + server.piece]
            self.wfile.write(piece)
            server.served[path] += len(piece)
            time.sleep(server.pause_s)
        self.close_connection = True

    def _busy(self, status: int) -> None:
        self._answer(status, b"", extra={"Retry-After": self.server.retry_after})

    def _answer_json(self, answer: object) -> None:
        self._answer(200, json.dumps(answer).encode(), "application/json")

    def _answer(
        self,
        status: int,
        body: bytes,
        kind: str = "text/plain",
        extra: dict[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return self.server.date

    def log_message(self, format: str, *args: object) -> None:
        """Tests are quiet."""
