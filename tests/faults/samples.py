"""Whole files of every kind that is read, made from scratch, to be damaged."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from pathlib import Path

import av
import numpy as np
from PIL import Image

from magi_engine.media.output import open_writer
from magi_engine.resources import resource_path
from magi_engine.runtime.machine.facts import MachineFacts
from magi_engine.runtime.request.request import GenerationRequest, Mode, PromptChange
from magi_engine.takes.store import About

MACHINE = MachineFacts(
    device="cpu",
    device_name="a processor",
    processor="a processor",
    cores=2,
    vram_total_bytes=None,
    vram_free_bytes=None,
    ram_total_bytes=16_000_000_000,
    ram_free_bytes=12_000_000_000,
    disk_free_bytes=60_000_000_000,
    fp8_in_hardware=False,
)
REQUEST = GenerationRequest(
    Mode.T2V, "pocket", 64, 64, 24, (PromptChange(0, "a red circle"),), output="a.mp4"
)
_CASES = Path(__file__).parents[1] / "engine" / "media" / "cases"
_SIDE = 48


def media(folder: Path) -> list[Path]:
    """Pictures and videos in every format."""
    folder.mkdir()
    random = np.random.RandomState(0)
    pixels = random.randint(0, 255, (_SIDE, _SIDE, 4), dtype=np.uint8)
    picture = Image.fromarray(pixels[..., :3])
    animation = [Image.fromarray(np.roll(pixels[..., :3], 3 * n, 0)) for n in range(6)]
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(folder / "a.png")
    Image.fromarray(pixels).save(folder / "alpha.png")
    picture.convert("P").save(folder / "palette.png", transparency=3)
    Image.fromarray(random.randint(0, 65535, (_SIDE, _SIDE), dtype=np.uint16)).save(
        folder / "deep.png"
    )
    picture.save(folder / "a.jpg", exif=exif)
    picture.save(folder / "progressive.jpg", progressive=True)
    picture.convert("CMYK").save(folder / "cmyk.jpg")
    for name in ("a.bmp", "a.tga", "a.ppm", "a.ico", "a.pcx"):
        picture.save(folder / name)
    picture.save(folder / "a.tif", compression="tiff_lzw")
    picture.save(folder / "raw.tif")
    picture.save(folder / "a.webp")
    for name in ("moving.gif", "moving.webp", "moving.png"):
        more = {"save_all": True, "append_images": animation[1:], "duration": 40}
        animation[0].save(folder / name, **more)
    frames = np.stack([np.asarray(image) for image in animation * 4])
    for name in ("a.mp4", "a.webm", "own.gif", "own.webp"):
        with open_writer(folder / name, _SIDE, _SIDE, 24, REQUEST.to_json()) as writer:
            writer.write(frames)
    for name, codec in (("a.mov", "h264"), ("a.mkv", "libvpx-vp9"), ("a.avi", "mpeg4")):
        _write_video(folder / name, codec, frames)
    for case in _CASES.iterdir():
        shutil.copy(case, folder / case.name)
    return sorted(folder.iterdir())


def _write_video(path: Path, codec: str, frames: np.ndarray) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=24)
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = _SIDE
        stream.pix_fmt = "yuv420p"
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))


def configurations(folder: Path) -> list[Path]:
    """Every JSON there is, under the name by which it is told apart."""
    folder.mkdir()
    for name, text in {
        "magi_config.json": _packaged("pocket/pocket_config.json"),
        "config.json": _packaged("pocket/vae/config.json"),
        "request.json": REQUEST.to_json(),
        "models.json": json.dumps(_ADDED),
        "verified.json": json.dumps(_VERIFIED),
        "model.safetensors.index.json": json.dumps(_INDEX),
        "speeds.json": json.dumps(_SPEEDS),
        "take.json": json.dumps(_TAKE),
        "limit.json": json.dumps({"bytes": 1_000_000}),
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
    return sorted(folder.iterdir())


def _packaged(name: str) -> str:
    return resource_path(*name.split("/")).read_text(encoding="utf-8")


_ADDED = {
    "version": 1,
    "models": [
        {
            "name": "mine",
            "like": "4.5B-distill",
            "title": "Mine",
            "parts": {"transformer": "dit"},
            "folder": "/nowhere/mine",
            "repository": None,
            "revision": "",
            "license": "",
            "sizes": {"transformer": 1000},
        },
        {
            "name": "fetched",
            "like": "4.5B-distill",
            "title": "Fetched",
            "parts": {"transformer": "dit"},
            "folder": None,
            "repository": "owner/name",
            "revision": "0" * 40,
            "license": "apache-2.0",
            "sizes": {"transformer": 1000},
        },
    ],
    "mirror": "http://127.0.0.1:9",
}
_VERIFIED = {
    "ckpt/vae/config.json": {
        "size_bytes": 10,
        "mtime_ns": 1,
        "sha256": "0" * 64,
        "source": "owner/name",
        "damaged": False,
        "written": True,
    }
}
_INDEX = {
    "metadata": {"total_size": 8},
    "weight_map": {"a.weight": "model-1.safetensors", "b.weight": "model-2.safetensors"},
}
_SPEEDS = {
    "pocket on a processor, float32": {
        "96": {
            "dit_flops_per_s": 1e9,
            "vae_flops_per_s": 1e9,
            "load_s": 1.0,
            "text_load_s": 1.0,
            "encode_s": 0.1,
            "warm_up_s": 0.0,
        }
    }
}


_TAKE = {"version": 1, **vars(About(REQUEST.to_json(), 24.0, 6, False, 24, 24, 68))}


class _Runs:
    """What a pickle would do if it were let."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return Path.write_text, (self.target, "run")  # type: ignore[return-value]


def checkpoints(folder: Path, witness: Path) -> list[Path]:
    """Weights in every format, and one that writes ``witness`` if it is run."""
    import torch
    import zstandard
    from safetensors.torch import save, save_file

    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    tensors = {f"layers.{n}.weight": torch.randn(16, 24, generator=generator) for n in range(6)}
    tensors["scale"] = torch.tensor(2.0)
    save_file(tensors, folder / "model.safetensors")
    compressed = zstandard.ZstdCompressor().compress(save(tensors))
    (folder / "model.safetensors.zst").write_bytes(compressed)
    torch.save(tensors, folder / "pytorch_model.bin")
    torch.save(tensors, folder / "old.bin", _use_new_zipfile_serialization=False)
    with (folder / "runs.bin").open("wb") as file:
        pickle.dump({"a": _Runs(witness)}, file, protocol=2)
    with (
        zipfile.ZipFile(folder / "pytorch_model.bin") as whole,
        zipfile.ZipFile(folder / "deflated.bin", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in whole.namelist():
            packed.writestr(name, whole.read(name))
    return sorted(folder.iterdir())


def swollen_pickle(path: Path, size_bytes: int) -> None:
    """A small file of PyTorch's whose pickle is a text of that many bytes once it is unpacked."""
    import torch

    plain = path.with_suffix(".plain")
    torch.save({"a": torch.zeros(1)}, plain)
    with (
        zipfile.ZipFile(plain) as whole,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed,
    ):
        for name in whole.namelist():
            with packed.open(name, "w", force_zip64=True) as target:
                if not name.endswith("data.pkl"):
                    target.write(whole.read(name))
                    continue
                target.write(b"\x80\x04\x8d" + size_bytes.to_bytes(8, "little"))
                for _ in range(size_bytes >> 20):
                    target.write(b"a" * (1 << 20))
                target.write(b".")
    plain.unlink()


def long_animation(path: Path, frames: int) -> None:
    """A GIF of so many tiny frames."""
    first = Image.new("P", (16, 16))
    first.putpalette([0, 0, 0, 255, 255, 255])
    first.save(path)
    data = path.read_bytes()
    body = data[data.index(b"\x2c") : -1]
    control = b"\x21\xf9\x04\x00\x04\x00\x00\x00"
    path.write_bytes(data[: data.index(b"\x2c")] + (control + body) * frames + b"\x3b")
