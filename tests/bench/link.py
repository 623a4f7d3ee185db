"""Watching a video that another machine makes, over a link of 20 Mbit/s and 80 ms.

    python -m tests.bench.link [--seconds 60] [--rate 20mbit] [--delay-ms 40]

Needs root on Linux. The server runs in a network namespace of its own; between it and the client
are two TUN devices, whose rate the kernel bounds (``tc``, token bucket) and between which every
packet waits (where the kernel has ``netem`` it could do that as well). The application, its files
and the client are the real ones; the engine behind them gives chunks of 24 frames of 480x480 at 24
frames/s, with previews, whatever processor there is.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import heapq
import itertools
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from magi_engine.media.output import open_writer
from magi_engine.media.targets import find_growing, part_path
from magi_engine.remote.connection import Connection
from magi_engine.remote.engine import RemoteEngine
from magi_engine.runtime.job.events import ChunkReady, Event, Finished, PreviewReady
from magi_engine.runtime.request.request import GenerationRequest
from tests.engine.serve.servers import small_request

_SIDE, _FRAMES, _FPS = 480, 24, 24
_PREVIEWS = 8
"""Of a chunk: one for every step."""
_HERE, _THERE, _PORT = "10.99.0.1", "10.99.0.2", 8611
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_MTU = 1500


class _PacedEngine:
    """Plays back the files of a video at the pace of one that is made in real time.

    Args:
        recording: see :func:`_record`.
    """

    def __init__(self, recording: Path) -> None:
        self._recording = recording

    def close(self) -> None:
        pass

    def control(self, command: object) -> None:
        pass

    def check(self, request: GenerationRequest) -> None:
        pass

    def generate(self, request: GenerationRequest, preview: bool = False) -> Iterator[Event]:
        ends = json.loads((self._recording / "ends.json").read_text())
        grown = (self._recording / "grown.mp4").read_bytes()
        picture = np.load(self._recording / "preview.npy")
        output = Path(request.output or "")
        part = part_path(output, ".mp4")
        made, frames = [], np.zeros((_FRAMES, 1, 1, 3), np.uint8)
        begun = time.monotonic()
        with part.open("wb", buffering=0) as file:
            for index, (start, end) in enumerate(itertools.pairwise([0, *ends])):
                for step in range(_PREVIEWS):
                    time.sleep(max(0, begun + index + step / _PREVIEWS - time.monotonic()))
                    yield PreviewReady(index, picture)
                time.sleep(max(0, begun + index + 1 - time.monotonic()))
                file.write(grown[start:end])
                made.append(time.monotonic())
                yield ChunkReady(index, index * _FRAMES, frames)
        Path("made.json").write_text(json.dumps(made))
        part.unlink()
        shutil.copy(self._recording / "whole.mp4", output)
        yield Finished(output, len(ends) * _FRAMES, time.monotonic() - begun)


def _record(folder: Path, chunks: int) -> None:
    """Write a video, and note how far its growing file was after each chunk: a picture with the
    spectrum of photographs, that moves, with grain."""
    rng = np.random.default_rng(1)
    size = 2 * _SIDE
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    noise = np.fft.fft2(rng.standard_normal((3, size, size)))
    picture = np.fft.ifft2(noise / np.maximum(frequency, 1 / size)).real
    picture = (128 + 50 * picture / picture.std()).transpose(1, 2, 0)
    ends: list[int] = []
    growing, frames = None, [picture]
    with open_writer(folder / "whole.mp4", _SIDE, _SIDE, _FPS) as writer:
        for index in range(chunks):
            frames = []
            for n in range(_FRAMES):
                x, y = 2 * ((n + index * _FRAMES) % (_SIDE // 2)), n
                frame = picture[y : y + _SIDE, x : x + _SIDE]
                frame = frame + rng.normal(0, 2, frame.shape)
                frames.append(np.clip(frame, 0, 255).astype(np.uint8))
            writer.write(np.stack(frames))
            growing = find_growing(folder / "whole.mp4")
            assert growing is not None
            ends.append(growing.stat().st_size)
        assert growing is not None
        shutil.copy(growing, folder / "grown.mp4")
        writer.close()
    np.save(folder / "preview.npy", np.stack(frames[::4])[:, ::8, ::8])
    (folder / "ends.json").write_text(json.dumps(ends))


def _serve(folder: Path) -> None:
    import uvicorn

    from magi_engine.install.process import InstallProcess
    from magi_engine.serve.app import application
    from magi_engine.serve.jobs import JobBook
    from magi_engine.serve.tokens import Tokens
    from magi_engine.serve.uploads import Uploads

    os.chdir(folder)
    engine, uploads = _PacedEngine(folder), Uploads(10**9, 10**9)
    book = JobBook(lambda _job: contextlib.nullcontext(engine), uploads, 10**12)
    app = application(engine, InstallProcess(), book, uploads, Tokens(folder / "token"))  # type: ignore[arg-type]
    config = uvicorn.Config(app, host=_THERE, port=_PORT, ws="websockets-sansio", log_config=None)
    print("ready", flush=True)
    asyncio.run(uvicorn.Server(config).serve())


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


class _Link:
    """Two TUN devices and what passes on packets between them."""

    def __init__(self, rate: str, delay_s: float) -> None:
        self.space = f"magi{os.getpid()}"
        _run("ip", "netns", "add", self.space)
        names = f"maga{os.getpid()}", f"magb{os.getpid()}"
        ends = [self._device(name) for name in names]
        _run("ip", "link", "set", names[1], "netns", self.space)
        far = ("ip", "netns", "exec", self.space)
        for name, own, other, prefix in (
            (names[0], _HERE, _THERE, ()),
            (names[1], _THERE, _HERE, far),
        ):
            _run(*prefix, "ip", "addr", "add", own, "peer", other, "dev", name)
            _run(*prefix, "ip", "link", "set", name, "up", "mtu", str(_MTU))
            shape = ("rate", rate, "burst", "16kb", "latency", "100ms")
            _run(*prefix, "tc", "qdisc", "add", "dev", name, "root", "tbf", *shape)
        for source, target in (ends, ends[::-1]):
            threading.Thread(target=self._pass, args=(source, target, delay_s), daemon=True).start()

    def close(self) -> None:
        """The devices end with this process."""
        _run("ip", "netns", "delete", self.space)

    def _device(self, name: str) -> int:
        device = os.open("/dev/net/tun", os.O_RDWR)
        wish = struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI)
        fcntl.ioctl(device, _TUNSETIFF, wish)
        return device

    def _pass(self, source: int, target: int, delay_s: float) -> None:
        waiting: list[tuple[float, int, bytes]] = []
        there = threading.Condition()
        numbers = itertools.count()

        def give_out() -> None:
            while True:
                with there:
                    there.wait_for(lambda: waiting)
                    due, _, packet = heapq.heappop(waiting)
                time.sleep(max(0, due - time.monotonic()))
                with contextlib.suppress(OSError):
                    os.write(target, packet)

        threading.Thread(target=give_out, daemon=True).start()
        while True:
            try:
                packet = os.read(source, 65536)
            except OSError:  # the device is gone
                return
            with there:
                heapq.heappush(waiting, (time.monotonic() + delay_s, next(numbers), packet))
                there.notify()


def main() -> None:
    """Measure, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", default="20mbit")
    parser.add_argument("--delay-ms", type=float, default=40, help="one way")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve is not None:
        _serve(args.serve)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _record(folder, args.seconds)
        link = _Link(args.rate, args.delay_ms / 1000)
        command = [sys.executable, "-m", "tests.bench.link", "--serve", str(folder)]
        server = subprocess.Popen(
            ["ip", "netns", "exec", link.space, *command], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            server.stdout.readline()
            _watch(folder, args.seconds)
        finally:
            server.terminate()
            server.wait()
            link.close()


def _watch(folder: Path, seconds: int) -> None:
    connection = Connection.with_file(f"http://{_THERE}:{_PORT}", folder / "token")
    for _ in range(100):
        with contextlib.suppress(Exception):
            connection.get("/v1/jobs")
            break
        time.sleep(0.2)
    asked = time.monotonic()
    connection.get("/v1/jobs")
    print(f"one question: {1000 * (time.monotonic() - asked):.0f} ms")
    engine = RemoteEngine(connection, folder / "records")
    output = folder / f"here{random.randrange(10**6)}.mp4"
    request = small_request(output, width=_SIDE, height=_SIDE, num_frames=_FRAMES * seconds)
    came = [
        time.monotonic()
        for event in engine.generate(request, preview=True)
        if isinstance(event, ChunkReady)
    ]
    whole = time.monotonic() - came[-1]
    engine.close()
    made = json.loads((folder / "made.json").read_text())
    late = [arrival - moment for arrival, moment in zip(came, made, strict=True)]
    # It plays from a second after the first chunk has come: the next one has to be there then.
    stalls = sum(arrival > came[0] + index for index, arrival in enumerate(came[1:], 2))
    whole_there = next((folder / "jobs").glob("*/video.mp4")).read_bytes()
    rate = 8e-6 * len(whole_there) / seconds
    print(f"{len(came)} chunks of {_FRAMES} frames of {_SIDE}x{_SIDE}, {rate:.1f} Mbit/s")
    median = sorted(late)[len(late) // 2]
    print(f"a chunk here after it was made: median {median:.2f} s, at most {max(late):.2f} s")
    print(f"the server's own pace: {made[-1] - made[0]:.1f} s for {len(made) - 1} s")
    print(f"chunks that came too late, one second buffered: {stalls}")
    same = "the same" if output.read_bytes() == whole_there else "NOT THE SAME"
    print(f"the file {whole:.1f} s after the last chunk: {same}")


if __name__ == "__main__":
    main()
