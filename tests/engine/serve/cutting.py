"""A cable that is cut again and again."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import threading

_PIECE = 2048
_LOOK_S = 0.1
"""How often a silent connection is looked at: wine does not wake who waits for one that is shut."""


class CutCable:
    """Passes bytes on between a client and a server, and hangs up after random numbers of bytes.

    Args:
        port: of the server, on loopback.
        cuts: so many connections are cut; those after that are not.
        most_bytes: that pass before a cut.

    Attributes:
        address: for the client.
        cut: how many were cut so far.
    """

    def __init__(self, port: int, cuts: int, most_bytes: int, seed: int) -> None:
        self._port, self._cuts, self._most_bytes = port, cuts, most_bytes
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._ends: list[socket.socket] = []
        self._over: set[socket.socket] = set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.cut = 0
        self._begin(self._accept)

    def close(self, hang_up: bool = False) -> None:
        """Let nobody in any more; what is connected ends with its ends, or now."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        if hang_up:
            self._hang_up()
        for thread in self._threads:
            thread.join()

    def lead_to(self, port: int) -> None:
        """Hang up, and pass on to another server from now on."""
        self._port = port
        self._hang_up()

    def _hang_up(self) -> None:
        self._shut(*self._ends)

    def _begin(self, work, *arguments) -> None:
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                ours, _ = self._listening.accept()
                try:
                    theirs = socket.create_connection(("127.0.0.1", self._port))
                except OSError:  # nobody is there
                    ours.close()
                    continue
                self._ends += [ours, theirs]
                budget = _Budget(self._random.randint(0, self._most_bytes))
                self._begin(self._pass_on, ours, theirs, budget)
                self._begin(self._pass_on, theirs, ours, budget)

    def _pass_on(self, source: socket.socket, target: socket.socket, budget: _Budget) -> None:
        with contextlib.suppress(OSError):
            while data := self._received(source):
                if budget.is_spent(len(data)) and self._may_cut(budget):
                    break
                target.sendall(data)
        self._shut(source, target)
        with self._lock:
            budget.ends += 1
            if budget.ends == 2:
                source.close()
                target.close()

    def _received(self, source: socket.socket) -> bytes:
        while not select.select([source], [], [], _LOOK_S)[0]:
            if source in self._over:
                return b""
        return source.recv(_PIECE)

    def _shut(self, *ends: socket.socket) -> None:
        self._over.update(ends)
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _may_cut(self, budget: _Budget) -> bool:
        with self._lock:
            if budget.cut:
                return True
            if self.cut < self._cuts:
                self.cut += 1
                budget.cut = True
            return budget.cut


class _Budget:
    """What may pass over one connection."""

    def __init__(self, left: int) -> None:
        self.left, self.ends, self.cut = left, 0, False

    def is_spent(self, count: int) -> bool:
        self.left -= count
        return self.left < 0
