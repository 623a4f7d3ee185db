"""Facts about the videos on the disk. Everything here reads files: not for the UI thread."""

from __future__ import annotations

import dataclasses
import logging
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from magi_desktop.state.generation_settings import fps_of
from magi_engine.errors import MagiError, MediaReadError, OutputError
from magi_engine.media.info import probe
from magi_engine.media.metadata import read_metadata
from magi_engine.media.png_frames import FRAME_NAME
from magi_engine.media.targets import VIDEO_SUFFIXES, find_partials
from magi_engine.runtime.request.branch import Lineage
from magi_engine.runtime.request.request import GenerationRequest

logger = logging.getLogger(__name__)

FIRST_FRAME = FRAME_NAME.format(0)


@dataclass(frozen=True)
class LibraryItem:
    """One video that was made.

    Attributes:
        path: the file, or the folder of PNG frames.
        request_text: the request as JSON.
        prompts: what was asked for, a line for each prompt.
        created: when, in seconds since 1970.
        complete: whether it has all frames that were asked for.
        missing: the file was not there when it was last looked for.
        favourite: the user wants to find it again.
        took_s: how long it took to make; None: not known.
    """

    id: str
    path: Path
    request_text: str
    prompts: str
    created: float
    frames: int
    fps: float
    width: int
    height: int
    complete: bool
    missing: bool = False
    favourite: bool = False
    took_s: float | None = None

    @cached_property
    def request(self) -> GenerationRequest:
        """How it was made.

        Raises:
            InvalidRequestError: a newer program made it.
        """
        return GenerationRequest.from_json(self.request_text)

    def was_made_as(self, request: GenerationRequest) -> bool:
        """Whether this is the whole video that a job wrote which was begun with ``request``."""
        if not self.complete or str(self.path) != request.output:
            return False
        try:
            own = self.request
        except MagiError:
            return False
        # Prompts may change while a video is made, and files have other names elsewhere.
        names = ("prompts", "output", "reference", "start", "writing", "extra")
        begun = dataclasses.replace(own, **{name: getattr(request, name) for name in names})
        return begun.as_wished() == request.as_wished()

    @cached_property
    def quantised_attention(self) -> bool:
        """Whether its attention was computed with 8 bits, as far as that is known."""
        try:
            return self.request.quantised_attention
        except MagiError:
            return False

    @cached_property
    def resumable(self) -> bool:
        """Whether it was stopped early and its latents were kept."""
        try:
            return not self.complete and self.request.take is not None
        except MagiError:
            return False

    @cached_property
    def auditioned(self) -> bool:
        """Whether only its first second was wanted, for now."""
        try:
            return not self.complete and self.request.only_chunks is not None
        except MagiError:
            return False

    @cached_property
    def lineage(self) -> Lineage:
        """Which take of what it is."""
        return Lineage.of(self.request_text)

    @property
    def family(self) -> str:
        """The same for all takes of one video."""
        return self.lineage.family or self.id

    @cached_property
    def words(self) -> str:
        """What a search looks at."""
        return f"{self.prompts}\n{self.path.name}".casefold()

    @property
    def prompt(self) -> str:
        """The first prompt, in one line."""
        return self.prompts.partition("\n")[0]

    @property
    def duration_s(self) -> float:
        """How long it plays."""
        return self.frames / self.fps if self.fps else 0.0


def describe(path: Path, request: GenerationRequest | None, complete: bool | None) -> LibraryItem:
    """Look at a video.

    Args:
        request: how it was made, unless the file itself says so.
        complete: None: if it has as many frames as the request asks for.

    Raises:
        MediaReadError: it cannot be read.
        InvalidRequestError: nothing says how it was made, or a newer program made it.
    """
    text = read_metadata(path)
    if text is not None or request is None:
        request = GenerationRequest.from_json(text or "null")
    folder = path.is_dir()
    info = probe(path / FIRST_FRAME if folder else path)
    fps = info.fps or fps_of(request)
    frames = sum(1 for _ in path.glob("*.png")) if folder else info.frame_count
    if frames is None:
        frames = round((info.duration_s or 0.0) * fps)
    if complete is None:
        complete = request.num_frames is None or frames >= request.num_frames
    return LibraryItem(
        uuid.uuid4().hex,
        path,
        request.to_json(),
        "\n".join(" ".join(p.text.split()) for p in request.prompts),
        path.stat().st_mtime,
        frames,
        fps,
        info.width,
        info.height,
        complete,
    )


def is_there(path: Path) -> bool | None:
    """Whether a file is there; None: that cannot be told, as of a folder that may not be looked
    into or a disk that does not answer."""
    try:
        return path.exists()
    except OSError:
        return None


@dataclass(frozen=True)
class Scan:
    """What a look into a folder found.

    Attributes:
        found: videos of ours that nobody knew.
        moved: new place of known videos, by their ids, that are no longer where they were.
    """

    found: list[LibraryItem]
    moved: dict[str, Path]


def scan(folder: Path, known: Collection[LibraryItem]) -> Scan:
    """Look for videos of ours in a folder, not below it; what cannot be read is passed over.

    A file that says the same of itself as a known video is a copy of it, such as an export, and
    is left out; if that video is gone, it was moved or renamed.
    """
    paths = {item.path for item in known}
    by_request = {item.request_text: item for item in known}
    result = Scan([], {})
    unknown = []
    for path in _candidates(folder):
        if path not in paths:
            try:
                unknown.append(describe(path, None, None))
            except (MagiError, OSError) as error:
                logger.debug("%s is none of ours: %s", path, error)
    for item in sorted(unknown, key=_is_copy):
        twin = by_request.get(item.request_text)
        if twin is None:
            by_request[item.request_text] = item
            result.found.append(item)
        elif is_there(twin.path) is False and twin.id not in result.moved:
            result.moved[twin.id] = item.path
    return result


def _is_copy(item: LibraryItem) -> bool:
    """Whether the file has another name than the one it was made under."""
    return Path(item.request.output or "").name != item.path.name


def recover(folder: Path) -> list[LibraryItem]:
    """Finish the videos whose process was killed."""
    from magi_engine.media.output import recover_partial

    items = []
    try:
        partials = find_partials(folder)
    except MagiError:  # no folder yet, or none that can be listed: nothing to finish
        return items
    for part in partials:
        try:
            recovered = recover_partial(part)
            if recovered is not None:
                items.append(describe(recovered, None, None))
        except (MagiError, OSError) as error:
            logger.warning("%s cannot be recovered: %s", part.name, error)
    return items


def located(item: LibraryItem, path: Path) -> LibraryItem:
    """The item as it is at a place the user showed.

    Raises:
        MediaReadError: there is no video.
    """
    seen = describe(path, item.request, item.complete)
    # The size alone does not tell two videos apart: most are made with the same settings.
    own, other = ((i.width, i.height, i.frames, i.request) for i in (item, seen))
    if own != other:
        raise MediaReadError(
            "{name} is another video.", "Choose the one that was moved.", name=path.name
        )
    return seen


def renamed(item: LibraryItem, stem: str) -> Path:
    """Give a video's file another name in its folder; returns its new place.

    Raises:
        OutputError: the name cannot be used.
    """
    try:
        target = item.path.with_name(stem if item.path.is_dir() else stem + item.path.suffix)
        taken = target.exists() and not (item.path.exists() and target.samefile(item.path))
    except (OSError, ValueError) as error:  # a slash, or more letters than a name can have
        raise OutputError(
            "{name} cannot be renamed.", "Choose another name.", name=item.path.name
        ) from error
    if taken:
        raise OutputError(
            "There is something called {name} already.", "Choose another name.", name=target.name
        )
    try:
        item.path.rename(target)
    except OSError as error:
        raise OutputError(
            "{name} cannot be renamed.",
            "Check that it is still there and that its folder may be written to.",
            name=item.path.name,
        ) from error
    return target


def _candidates(folder: Path) -> list[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        logger.info("%s cannot be listed: %s", folder, error)
        return []
    return [p for p in paths if not p.name.startswith(".") and _looks_like_ours(p)]


def _looks_like_ours(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES or (path / FIRST_FRAME).is_file()
