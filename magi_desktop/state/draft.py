"""What the user is composing: mode, prompts, references and settings of the next video."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from magi_desktop.state.generation_settings import (
    SUFFIXES,
    GenerationSettings,
    chosen_size,
    configuration,
    limits_of,
    moved_to,
    sampling_of,
    settings_of,
    writing_of,
)
from magi_engine.config.official import MagiConfig
from magi_engine.errors import InvalidRequestError, MagiError
from magi_engine.json_text import read_fields, to_fields
from magi_engine.media.clips import ClipPart
from magi_engine.media.fit import CropBox, FitPolicy
from magi_engine.media.info import MediaInfo, MediaKind
from magi_engine.messages import Message
from magi_engine.runtime.request.length import frames_for
from magi_engine.runtime.request.request import (
    GenerationRequest,
    Mode,
    PromptChange,
    drawn_seed,
)
from magi_engine.sampling.schedule import Transition

if TYPE_CHECKING:
    from magi_engine.runtime.planning.plan import JobPlan


@dataclass(frozen=True)
class Reference:
    """An image or a video to start from, and how it is used."""

    path: Path
    info: MediaInfo
    fit: FitPolicy = FitPolicy.CROP
    crop: CropBox | None = None
    clip: ClipPart = field(default_factory=ClipPart)
    prepend_source: bool = False

    @classmethod
    def of(cls, request: GenerationRequest, info: MediaInfo) -> Reference:
        """The one of a request that has one."""
        how = request.fit, request.crop, request.clip, request.prepend_source
        return cls(Path(request.reference or ""), info, *how)

    @property
    def mode(self) -> Mode:
        """The mode in which this can be the reference."""
        return Mode.I2V if self.info.kind is MediaKind.IMAGE else Mode.V2V


class Draft(QObject):
    """The next video as the user has composed it so far. Each mode keeps its reference; the prompt
    stays where a picture or a clip comes or goes.

    Attributes:
        plan: how the engine would make it, or why it cannot; of before the latest changes until
            it has answered again. None: it has not said anything yet.

    Signals:
        changed: name of what changed: ``mode``, ``prompt``, ``reference``, ``plan``, a field of
            ``GenerationSettings``, or last of all ``base``: another video is composed.
        model_left: what gives back the settings that were there before the user chose a model.
    """

    changed = Signal(str)
    mode_changed = Signal(object)
    model_left = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.mode = Mode.T2V
        """What the video starts from."""
        self.prompt = ""
        self.later_prompts: tuple[PromptChange, ...] = ()
        """Prompts for chunks after the first, in rising order."""
        self._references: dict[Mode, Reference | None] = dict.fromkeys(Mode)
        self.awaited: dict[Mode, GenerationRequest] = {}
        """Whose references are being read, or could not be: they count from ``reference_came`` on,
        unless others have come."""
        self.settings = GenerationSettings.of_model()
        """Everything else; shared by the modes."""
        self._base: GenerationRequest | None = None
        """What was taken over; it holds what there is no setting for."""
        self.plan: JobPlan | MagiError | None = None
        self.editing = False
        """A queued video is being changed: it keeps its seed."""

    @property
    def reference(self) -> Reference | None:
        """The current mode's reference; always None for text."""
        return self._references[self.mode]

    @property
    def config(self) -> MagiConfig:
        """The model's own configuration."""
        return configuration(self.settings.model, self.settings.config_path)[1]

    def set_plan(self, plan: JobPlan | MagiError) -> None:
        """The engine has answered."""
        self.plan = plan
        self.changed.emit("plan")

    def set_editing(self, editing: bool) -> None:
        """Whether what is composed takes the place of a queued video."""
        if editing != self.editing:
            self.editing = editing
            self.changed.emit("editing")

    def set_mode(self, mode: Mode) -> None:
        """Switch; the references of the other modes stay."""
        if mode is not self.mode:
            self.mode = mode
            self.mode_changed.emit(mode)
            for name in ("mode", "reference"):
                self.changed.emit(name)

    def set_prompt(self, text: str) -> None:
        """Set the prompt."""
        if text != self.prompt:
            self.prompt = text
            self.changed.emit("prompt")

    def set_later_prompts(self, prompts: tuple[PromptChange, ...]) -> None:
        """Set the prompts for later chunks, in rising order."""
        if prompts != self.later_prompts:
            self.later_prompts = prompts
            self.changed.emit("later_prompts")

    def set_reference(self, reference: Reference | None) -> None:
        """Set the reference; one of another mode switches to it. None clears the current mode's."""
        if reference is not None:
            self.set_mode(reference.mode)
        waited = self.awaited.pop(self.mode, None)
        if reference != self.reference or waited is not None:
            self._references[self.mode] = reference
            self.changed.emit("reference")

    def reference_came(self, request: GenerationRequest, info: MediaInfo) -> None:
        """What the reference of a request holds. The mode stays."""
        reference = Reference.of(request, info)
        if self.awaited.get(reference.mode) is request:
            del self.awaited[reference.mode]
            self._references[reference.mode] = reference
            self.changed.emit("reference")

    def set(self, **values: Any) -> None:
        """Change fields of the settings. Another model brings its own defaults; a size that was
        chosen stays, unless one of the two models knows one size only.

        Raises:
            ModelNotFoundError, ConfigError: there is no such model or configuration; nothing has
                changed.
        """
        previous = self.settings
        if values.get("model", previous.model) != previous.model and "config_path" not in values:
            values = {"config_path": None, **values}
        settings = dataclasses.replace(previous, **values)
        if {"model", "config_path"} & values.keys():
            own, before = self._own_defaults(settings), None
            with contextlib.suppress(MagiError):  # the model of before may be gone by now
                before = self._own_defaults(previous)
            if before != own:
                self._base = None
                size = {} if before is None else chosen_size(own, before, previous)
                settings = moved_to(own, previous, {**size, **values})
        self._take_settings(settings)

    def choose_model(self, name: str) -> None:
        """Go over to a model, as the user wants, with a way back."""
        before, go_back = self.settings, self.settings_back()
        self.set(model=name, config_path=None)
        if self.settings != before:
            self.model_left.emit(go_back)

    def _take_settings(self, settings: GenerationSettings) -> None:
        previous, self.settings = self.settings, settings
        for name in (f.name for f in dataclasses.fields(GenerationSettings)):
            if getattr(previous, name) != getattr(settings, name):
                self.changed.emit(name)

    def default(self, name: str) -> Any:
        """The value a field of the settings has unless it is changed."""
        return getattr(self._own_defaults(self.settings), name)

    def is_default(self, name: str) -> bool:
        """Whether a field of the settings is as it was at first."""
        return getattr(self.settings, name) == self.default(name)

    def reset(self, name: str) -> None:
        """Give a field of the settings its default."""
        self.set(**{name: self.default(name)})

    def take_seed(self) -> int:
        """The seed for the next video: a fresh one unless it is locked or a queued one's."""
        if not (self.settings.seed_locked or self.editing):
            self.set(seed=drawn_seed())
        return self.settings.seed

    def request(self) -> GenerationRequest:
        """What the engine is asked for; its ``output`` is a name without a folder.

        Raises:
            InvalidRequestError: something is missing or makes no sense.
        """
        chosen, reference, prompt = self.settings, self.reference, self.prompt.strip()
        if self.mode is not Mode.T2V and reference is None:
            raise _missing_reference(self.mode)
        fps = chosen.fps or self.config.runtime_config.fps
        base = self._base or GenerationRequest(
            self.mode, chosen.model, chosen.width, chosen.height, None
        )
        parts = _NO_REFERENCE if reference is None else _reference_fields(reference)
        request = dataclasses.replace(
            base,
            mode=self.mode,
            model=chosen.model,
            width=chosen.width,
            height=chosen.height,
            num_frames=None if chosen.seconds is None else frames_for(chosen.seconds, fps),
            prompts=(PromptChange(0, prompt), *self.later_prompts),
            seed=chosen.seed,
            config_path=chosen.config_path,
            sampling=sampling_of(chosen, base.sampling),
            special_tokens=chosen.special_tokens,
            negative_tokens=chosen.negative_tokens,
            writing=writing_of(chosen, base.writing),
            **parts,
        )
        return dataclasses.replace(request, output=request.name() + SUFFIXES[chosen.file_format])

    def take(self, request: GenerationRequest, *, lock_seed: bool) -> None:
        """Compose the same video again; what its reference holds, ``reference_came`` will say.

        Args:
            lock_seed: whether later videos are to have its seed, too; one that is locked stays so.

        Raises:
            ModelNotFoundError, ConfigError: the request's model is not known here.
        """
        settings = settings_of(request)
        self.set_mode(request.mode)
        self.set_prompt(request.prompt)
        self.set_later_prompts(tuple(p for p in request.prompts if p.chunk > 0))
        self.set_reference(None)
        if request.reference is not None:
            self.awaited[request.mode] = request
        locked = lock_seed or self.settings.seed_locked
        values = {f.name: getattr(settings, f.name) for f in dataclasses.fields(settings)}
        self.set(**{**values, "seed_locked": locked})
        # What it shared with an earlier video belongs to that one, not to what is composed next.
        self._base = dataclasses.replace(request.as_wished(), start=None)
        self.changed.emit("base")

    def way_back(self) -> Callable[[], None]:
        """What brings back all of it as it is now; what is ``awaited`` then, is to be read."""
        mode, prompt, later_prompts = self.mode, self.prompt, self.later_prompts
        references, awaited = dict(self._references), dict(self.awaited)
        settings_back = self.settings_back()

        def go_back() -> None:
            self._references, self.awaited = dict(references), dict(awaited)
            self.set_mode(mode)
            self.changed.emit("reference")
            self.set_prompt(prompt)
            self.set_later_prompts(later_prompts)
            settings_back()
            self.changed.emit("base")

        return go_back

    def settings_back(self) -> Callable[[], None]:
        """What brings back the settings as they are now."""
        settings, base = self.settings, self._base

        def go_back() -> None:
            self._base = base
            self._take_settings(settings)

        return go_back

    @property
    def limits(self) -> Message:
        """What the chosen model cannot do where that is much; empty for the others."""
        return limits_of(self.settings)

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of what the next video has from the one that was taken over, and no setting
        shows."""
        if self._base is None:
            return ()
        usual = GenerationRequest(Mode.T2V, "", 0, 0, None)
        sampling = sampling_of(self.settings, self._base.sampling)
        own = (
            *((self._base, usual, name) for name in ("device", "dtype")),
            (sampling, usual.sampling, "cfg_t_range"),
            (self._base.writing, usual.writing, "preset"),
        )
        names = [name for mine, other, name in own if getattr(mine, name) != getattr(other, name)]
        for name in ("text_scales", "prev_chunk_scales"):
            names += [name] if len(getattr(sampling, name) or ()) > 1 else []
        return tuple(names)

    def to_json(self) -> dict[str, Any]:
        """What is worth keeping until the next start, as JSON values."""
        return {
            "mode": self.mode.value,
            "prompt": self.prompt,
            "later_prompts": [[p.chunk, p.text, p.transition.value] for p in self.later_prompts],
            "references": [text for mode in Mode if (text := self._only_reference(mode))],
            "settings": dataclasses.asdict(self.settings),
            "base": None if self._base is None else self._base.to_json(),
        }

    def _only_reference(self, mode: Mode) -> str | None:
        """A request that says nothing but a mode's reference."""
        reference, request = self._references[mode], self.awaited.get(mode)
        if reference is not None:
            request = GenerationRequest(mode, "", 0, 0, None, **_reference_fields(reference))
        return None if request is None else request.to_json()

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over what ``to_json`` gave; nonsense is left out.

        References are not read here, since that takes time: they are ``awaited``.
        """
        if isinstance(saved.get("prompt"), str):
            self.prompt = saved["prompt"]
        self.later_prompts = _prompt_changes(saved.get("later_prompts"))
        values = saved.get("settings")
        if isinstance(values, dict):
            self._restore_settings(values)
        if isinstance(saved.get("base"), str):
            with contextlib.suppress(InvalidRequestError):  # hand-edited
                self._base = GenerationRequest.from_json(saved["base"])
        self.awaited = _awaited(saved.get("references"))
        if saved.get("mode") in {mode.value for mode in Mode}:
            self.mode = Mode(saved["mode"])
        self.mode_changed.emit(self.mode)
        for name in ("mode", "prompt", "later_prompts", "reference"):
            self.changed.emit(name)

    def _restore_settings(self, values: dict[str, Any]) -> None:
        usual = self.settings
        try:
            settings = read_fields(GenerationSettings, {**to_fields(usual), **values})
            # The round trip checks what no type says; the length is checked with the plan.
            probe = Draft()
            probe.settings = dataclasses.replace(
                settings, model=usual.model, config_path=None, seconds=None
            )
            GenerationRequest.from_json(probe.request().to_json())
        except Exception:  # a hand-edited or older file: the defaults serve
            return
        names = (f.name for f in dataclasses.fields(settings))
        try:
            self.set(**{name: getattr(settings, name) for name in names if name in values})
        except MagiError:  # the model is gone, or on a disk that is
            self._take_settings(moved_to(usual, settings, {}))

    def _own_defaults(self, settings: GenerationSettings) -> GenerationSettings:
        return GenerationSettings.of_model(settings.model, settings.config_path)


def settings_request(settings: GenerationSettings) -> GenerationRequest:
    """The request for a video with these settings and no prompt, to check and export them.

    Raises:
        MagiError: the model is not known, or the length makes no sense.
        Exception: values of wrong types, from a hand-edited file.
    """
    probe = Draft()
    probe.set(**{f.name: getattr(settings, f.name) for f in dataclasses.fields(settings)})
    return probe.request()


def _missing_reference(mode: Mode) -> InvalidRequestError:
    if mode is Mode.I2V:
        return InvalidRequestError(
            "This mode starts from an image.", "Drop an image onto the window or choose a file."
        )
    return InvalidRequestError(
        "This mode starts from a video.", "Drop a video onto the window or choose a file."
    )


_TRANSITIONS = {transition.value: transition for transition in Transition}


def _prompt_changes(saved: object) -> tuple[PromptChange, ...]:
    pairs = saved if isinstance(saved, list) else []
    changes = [
        PromptChange(pair[0], pair[1], _TRANSITIONS.get("".join(pair[2:]), Transition.GO_ON))
        for pair in pairs
        if isinstance(pair, list)
        and [type(x) for x in pair] in ([int, str], [int, str, str])
        and pair[0] > 0
    ]
    return tuple(sorted(changes, key=lambda change: change.chunk))


def _awaited(saved: object) -> dict[Mode, GenerationRequest]:
    """The references that are kept, by their modes."""
    requests = []
    for text in saved if isinstance(saved, list) else []:
        with contextlib.suppress(InvalidRequestError):  # hand-edited
            requests += [GenerationRequest.from_json(text)] if isinstance(text, str) else []
    return {request.mode: request for request in requests if request.reference is not None}


def _reference_fields(reference: Reference) -> dict[str, Any]:
    return {
        "reference": str(reference.path),
        "fit": reference.fit,
        "crop": reference.crop,
        "clip": reference.clip,
        "prepend_source": reference.prepend_source and reference.mode is Mode.V2V,
    }


_NO_REFERENCE = {"reference": None, "crop": None, "prepend_source": False}
