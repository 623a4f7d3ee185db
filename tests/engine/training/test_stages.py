"""Every stage of the training runs, at a size that takes seconds."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from magi_engine.config.official import MagiConfig
from magi_engine.config.registry import ModelPaths
from magi_engine.config.vae import VaeConfig
from magi_engine.model.dit import VideoDiT
from magi_engine.model.special_tokens import SpecialTokens
from magi_engine.model.tokenizer import Tokenizer
from magi_engine.model.vae import ViTVAE
from magi_engine.resources import resource_path
from magi_engine.sampling.schedule import SamplerSettings
from magi_engine.training import (
    checkout,
    data,
    export,
    pocket,
    train_binding,
    train_decoder,
    train_place,
    train_text,
    train_transformer,
    train_vae,
)
from magi_engine.training.data import CHUNKS, Clips, cached_script, encode_clips, make_clips
from magi_engine.training.filming import Camera
from magi_engine.training.layouts import Layout, pipeline, streaming
from magi_engine.training.lessons import BEGINNING, Kind, Lesson, Teacher
from magi_engine.training.scenes import RADIUS, Motion, SizeBand
from magi_engine.training.sequences import Sequence, draw_batch, load_tokens
from magi_engine.training.tokenizer import make_tiny_t5, tiny_t5_config
from magi_engine.training.trials import Task
from magi_engine.training.wording import LARGE_WORDS, SMALL_WORDS
from magi_engine.training.world import NO_EVENT, SceneOptions, sample_scenes
from magi_engine.weights.layout import FoundModel

CPU = torch.device("cpu")
VAE = dataclasses.replace(pocket.VAE, embed_dim=32, depth=1, num_heads=2, mlp_ratio=2.0)
MODEL = dataclasses.replace(
    pocket.MODEL,
    num_layers=2,
    hidden_size=64,
    ffn_hidden_size=96,
    num_query_groups=4,
    kv_channels=8,
)


@pytest.fixture(autouse=True)
def tiny_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pocket, "VAE", VAE)
    monkeypatch.setattr(pocket, "MODEL", MODEL)
    for name, config in list(vars(pocket).items()):
        if isinstance(config, MagiConfig):
            small = dataclasses.replace(config, model_config=MODEL)
            monkeypatch.setattr(pocket, name, small)


@pytest.fixture(scope="module")
def t5_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer, with the special tokens beside its folder."""
    root = tmp_path_factory.mktemp("text")
    assert train_text.main(["--target", str(root), "--captions", "300"]) == 0
    return root / "t5"


@pytest.fixture(scope="module")
def vae() -> ViTVAE:
    return tiny_vae(VAE)


def tiny_vae(config: VaeConfig) -> ViTVAE:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = ViTVAE(config)
        train_vae.initialise(model)
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def clips(vae: ViTVAE, t5_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Clips:
    script = cached_script(tmp_path_factory.mktemp("script"), t5_dir, count=6, seed=3)
    return make_clips(vae, script, CPU)


def test_whitening_makes_unit_latents_and_changes_no_pixel(vae: ViTVAE) -> None:
    model = tiny_vae(VAE)
    pictures = train_vae.render_clips(4, seed=1, device=CPU)
    video = train_vae.pixels_to_video(pictures[:, : train_vae.PIECE])
    with torch.no_grad():
        before = model.decode(model.encode(video))
        train_vae.whiten(model, pictures)
        latents = model.encode(video) * pocket.SCALE_FACTOR
        after = model.decode(model.encode(video))
    by_channel = latents.transpose(0, 1).flatten(1)
    torch.testing.assert_close(by_channel.mean(1), torch.zeros(16), atol=1e-3, rtol=0)
    torch.testing.assert_close(by_channel.std(1), torch.ones(16), atol=1e-3, rtol=0)
    torch.testing.assert_close(after, before, atol=1e-3, rtol=0)


def test_the_decoder_is_given_images_as_the_program_gives_them(vae: ViTVAE) -> None:
    pictures = train_vae.render_clips(2, seed=1, device=CPU)[:, 0]
    latents = train_decoder.encoded_images(vae, pictures)
    decoded = train_decoder.decode_pieces(vae.decoder, latents)
    video = train_vae.pixels_to_video(pictures[:, None])
    torch.testing.assert_close(decoded, vae.decode(vae.encode(video)))


def test_the_decoder_answers_for_a_beat() -> None:
    frames = torch.arange(2 * train_vae.PIECE).float()
    steady = frames.view(1, 1, -1, 1, 1).expand(2, 3, -1, 4, 4) / 10

    def jump(after: int, size: float) -> torch.Tensor:
        return size * (torch.arange(2 * train_vae.PIECE) >= after).view(1, 1, -1, 1, 1)

    # A picture that stands still inside latent frames has nothing to be compared with.
    assert float(train_decoder.beat_loss(steady[:, :, :4])) == 0
    # Four borders of latent frames may have 0.97 times what is within, that of pieces, which
    # counts six times as much, 0.92 times.
    usual = (4 * 2 * 0.03 + 12 * 0.08) / 20
    assert float(train_decoder.beat_loss(steady)) == pytest.approx(usual, abs=2e-3)
    for border, weight in ((4, 2), (train_vae.PIECE, 12)):
        beaten = steady + jump(border, 0.05)  # half a step more
        loss = usual + 0.5 * weight / 20
        assert float(train_decoder.beat_loss(beaten)) == pytest.approx(loss, abs=4e-3)
        one = torch.where(torch.tensor([True, False]).view(2, 1, 1, 1, 1), beaten, steady)
        half = (loss + usual) / 2
        assert float(train_decoder.beat_loss(one)) == pytest.approx(half, abs=4e-3)
    # What is larger within is no beat.
    assert float(train_decoder.beat_loss(steady + jump(5, 0.5))) == 0


def test_the_decoder_answers_more_for_the_colour_of_an_area_than_for_its_outline() -> None:
    video = torch.zeros(2, 3, 2 * train_vae.PIECE, 16, 16)
    chequered = 0.1 * (1 - 2 * (torch.arange(16)[:, None] + torch.arange(16)).remainder(2).float())
    outline, area = (
        train_decoder.error_of(video + error, video)[0] for error in (chequered, torch.tensor(0.1))
    )
    level = 1 / 127.5
    assert float(area - outline) == pytest.approx(80 * (0.1 - level / 4) ** 2, rel=1e-4)


def test_the_decoder_makes_no_dots_for_less_than_a_quarter_of_a_level() -> None:
    video = torch.zeros(2, 3, 2 * train_vae.PIECE, 16, 16)
    loss, squared = train_decoder.error_of(video + 0.24 / 127.5, video)
    assert float(loss - squared) == pytest.approx(0.5 * 0.24 / 127.5, rel=1e-4)  # L1's share


def test_the_decoder_answers_most_where_pieces_meet() -> None:
    weights = train_decoder.change_weights(2 * train_vae.PIECE, CPU)[:, 0, 0]
    assert abs(float(weights.mean()) - 1) < 1e-6
    usual, border, piece = weights[0], weights[3], weights[train_vae.PIECE - 1]
    torch.testing.assert_close(torch.stack([border, piece]) / usual, torch.tensor([2.0, 12.0]))


def test_weights_and_place_are_in_the_latents_and_not_in_the_pictures(vae: ViTVAE) -> None:
    model = tiny_vae(VAE)
    pictures = train_vae.render_clips(4, seed=1, device=CPU)
    video = train_vae.pixels_to_video(pictures[:, : train_vae.PIECE])
    factors = 0.5 / train_place.channel_noise(model, pictures)
    train_place.weigh(model, factors)
    torch.testing.assert_close(
        train_place.channel_noise(model, pictures), torch.full((16,), 0.5), atol=1e-4, rtol=0
    )
    place = train_place.ramps(factors, (16, 16))
    train_place.take_off(model, place)
    with torch.no_grad():
        before, latents = vae.decode(vae.encode(video)), vae.encode(video)
        weighed = model.encode(video)
        torch.testing.assert_close(weighed, latents * factors[:, None, None, None])
        after = model.decode(weighed + place[:, None])
        still = model.decode((weighed + place[:, None])[:, :, :1])
        torch.testing.assert_close(still, vae.decode(latents[:, :, :1]), atol=1e-4, rtol=0)
    torch.testing.assert_close(after, before, atol=1e-4, rtol=0)
    # One ramp along each axis, in the channels with the least picture.
    assert sorted(place.abs().amax((1, 2)).nonzero().flatten()) == sorted(factors.argsort()[:2])
    steps = [place.diff(dim=dim).abs().amax((1, 2)) > 0 for dim in (1, 2)]
    assert [int(moves.sum()) for moves in steps] == [1, 1]


def test_special_tokens_are_the_shipped_ones(t5_dir: Path) -> None:
    made, shipped = (
        SpecialTokens.load(folder / pocket.SPECIAL_TOKENS_FILE)
        for folder in (t5_dir.parent, resource_path("pocket"))
    )
    assert torch.equal(made.durations, shipped.durations)
    assert made.width == pocket.CAPTION_CHANNELS
    assert all(torch.equal(made.vectors[name], shipped.vectors[name]) for name in made.vectors)


def tensors_of(path: Path) -> dict[str, Tensor]:
    """Not mapped: Windows replaces no file that is."""
    return load(path.read_bytes())


def test_all_stages_from_nothing_to_a_video(
    tmp_path: Path, t5_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs, target = tmp_path / "runs", tmp_path / "pocket"
    common = ["--out", str(runs), "--minutes", "1e6", "--max-steps", "2"]
    common += ["--clips", "2", "--batch", "2"]
    assert train_vae.main(common) == 0
    assert "PSNR of fresh clips" in capsys.readouterr().out
    assert train_place.main(common) == 0
    text = ["--out", str(runs), "--t5", str(t5_dir), "--minutes", "1e6", "--max-steps", "2"]
    text += ["--captions", "20", "--batch", "4"]
    assert train_binding.main(text) == 0
    bound = tensors_of(runs / train_binding.TEXT_CHECKPOINT)
    common += ["--t5", str(t5_dir), "--beginnings", "6"]
    assert train_transformer.main(common) == 0
    first = tensors_of(runs / "transformer.safetensors")
    for name, tensor in bound.items():  # two slow steps from there
        torch.testing.assert_close(first[name], tensor, atol=2e-4, rtol=0)
    assert train_binding.main([*text, "--resume"]) == 0
    resumed = tensors_of(runs / "transformer.safetensors")
    assert first.keys() == resumed.keys()
    for name, tensor in first.items():  # what its transformer is stays
        assert torch.equal(tensor, resumed[name]) or not name.startswith("dit."), name
    assert train_transformer.main([*common, "--resume", "--seed", "5"]) == 0
    last = tensors_of(runs / "transformer.safetensors")
    assert first.keys() == last.keys()
    assert all(bool(tensor.isfinite().all()) for tensor in last.values())
    for part in ("dit.", "t5.", "questions."):
        names = [name for name in first if name.startswith(part)]
        assert any(not torch.equal(first[name], last[name]) for name in names)

    before = tensors_of(runs / "vae.safetensors")
    capsys.readouterr()
    assert train_decoder.main([*common[:-2], "--seed", "6"]) == 0
    lines = capsys.readouterr().out.splitlines()
    named = ["encoded", "redrawn", "images"] * 2
    assert [line.split()[0] for line in lines if " dB" in line] == named
    after = tensors_of(runs / "vae.safetensors")
    for name, tensor in before.items():  # so latents and transformer stay valid
        assert torch.equal(tensor, after[name]) == name.startswith("vae.encoder."), name

    shutil.copytree(t5_dir.parent, target)
    options = ["--out", str(runs), "--target", str(target)]
    assert export.main(options) == 0
    assert "MB in" in capsys.readouterr().out
    files = ModelPaths(
        (target / pocket.DIT_FILE).parent,
        target / pocket.VAE_DIR,
        target / pocket.T5_DIR,
        target / pocket.SPECIAL_TOKENS_FILE,
    )
    config = MagiConfig.from_json(target / "pocket_config.json")
    assert config.model_config == MODEL
    found = FoundModel("tiny", "tiny", config, files, None)
    settings = dataclasses.replace(SamplerSettings.from_config(config), num_steps=4)
    camera = Camera(found, settings, CPU, torch.float32)
    frames = camera.film(Task("a red ball moves left", chunks=1, seed=1))
    assert frames.shape == (pocket.CHUNK_FRAMES, pocket.SIZE, pocket.SIZE, 3)
    # What is shipped is what the transformer was trained with, to the bit.
    kept = tensors_of(runs / "vae.safetensors")
    for name, tensor in camera._model.vae.state_dict().items():
        assert torch.equal(tensor, kept[f"vae.{name}"]), name

    # And it comes back as checkpoints to go on from.
    assert checkout.main(["--source", str(target), "--out", str(tmp_path / "again")]) == 0
    returned = tensors_of(tmp_path / "again" / "transformer.safetensors")
    assert returned.keys() == last.keys()
    for name, tensor in last.items():
        if name.startswith("questions."):
            continue  # to be learned anew
        rounded = tensor.bfloat16().float() if name.startswith("dit.") else tensor
        torch.testing.assert_close(returned[name], rounded if tensor.dim() > 1 else tensor)
    again = tensors_of(tmp_path / "again" / "vae.safetensors")
    assert all(torch.equal(again[name], tensor) for name, tensor in kept.items())


def test_the_text_encoder_learns_whose_words_are_whose(tmp_path: Path, t5_dir: Path) -> None:
    options = ["--out", str(tmp_path), "--t5", str(t5_dir), "--minutes", "1e6"]
    options += ["--max-steps", "51", "--captions", "40", "--batch", "20", "--rate", "3e-3"]
    assert train_binding.main(options) == 0
    rows = [json.loads(line) for line in (tmp_path / "binding.jsonl").read_text().splitlines()]
    assert rows[0]["loss"] > 4
    assert rows[-1]["loss"] < 2.5
    # Which of the two objects a shape belongs to: to know the two is to be right half the time.
    assert rows[-1]["shape_right"] > 0.75


def test_the_encoder_is_asked_only_what_captions_say() -> None:
    options = SceneOptions(two_objects=0.5, events=0.0, held_starts=0.5)
    scenes = sample_scenes(40, torch.Generator().manual_seed(7), options)
    held = scenes.hold_frames > 0
    objects = data.objects_of(scenes, unless=held)
    assert torch.equal(objects[..., 0], scenes.colour[:, :, 0])
    said = torch.arange(2) < scenes.count[:, None]
    said &= ~held[:, None]
    assert 0 < said.sum() < said.numel()
    for answers in objects[..., 1:].unbind(-1):
        assert torch.equal(answers >= 0, said)
    assert torch.equal(objects[..., 1][said], scenes.shape[said])
    assert torch.equal(objects[..., 2][said], scenes.motion[..., 0][said])

    torch.manual_seed(0)
    questions = train_binding.Questions(8)
    vectors, words = torch.randn(40, 5, 8), torch.ones(40, 5, dtype=torch.bool)
    assert float(questions.ask(vectors, words, objects).loss().detach()) > 3
    # A batch in which nothing can be asked teaches nothing, and breaks nothing.
    silent = questions.ask(vectors[held], words[held], objects[held]).loss()
    assert float(silent.detach()) == 0
    # What is padding is not looked at.
    words[:, 3:] = False
    one, other = (
        questions.ask(torch.where(words[..., None], vectors, rest), words, objects).loss()
        for rest in (vectors, torch.zeros(()))
    )
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("layout", [streaming(CHUNKS, 3), pipeline(CHUNKS, 1, 4)], ids=str)
def test_every_lesson_teaches_the_student_alone(
    clips: Clips, t5_dir: Path, kind: Kind, layout: Layout
) -> None:
    torch.manual_seed(0)
    student, average = (VideoDiT(MODEL) for _ in range(2))
    for model in (student, average):
        train_transformer.initialise(model)
        nn.init.normal_(model.final_linear.linear.weight, std=0.02)
    t5 = make_tiny_t5(tiny_t5_config(Tokenizer.load(t5_dir / "spiece.model").vocab_size))
    tokens = SpecialTokens.load(t5_dir.parent / pocket.SPECIAL_TOKENS_FILE)
    loss = Teacher(student, average, tokens).loss(Lesson(kind, layout), draw_batch(clips, t5, 2))
    assert bool(loss.isfinite())
    loss.backward()
    gates = student.videodit_blocks.layers[0].ada_modulate_layer.proj[0]  # type: ignore[index,union-attr]
    assert float(gates.weight.grad.abs().max()) > 0  # type: ignore[union-attr]
    assert all(p.grad is None for p in average.parameters())


def test_what_goes_on_with_others_is_guided_half_as_much(
    clips: Clips, t5_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guided velocity, where the caption asks for 1 and no caption for 0, is the scale."""
    model = VideoDiT(MODEL)
    t5 = make_tiny_t5(tiny_t5_config(Tokenizer.load(t5_dir / "spiece.model").vocab_size))
    teacher = Teacher(model, model, SpecialTokens.load(t5_dir.parent / pocket.SPECIAL_TOKENS_FILE))

    def asked(self: Sequence, _model: VideoDiT, noisy: Tensor, *_: object) -> Tensor:
        return torch.full_like(noisy, float(self.conditional))

    monkeypatch.setattr(Sequence, "velocity", asked)
    batch = draw_batch(clips, t5, 2)
    for layout in (streaming(CHUNKS, 3), pipeline(CHUNKS, 0, 4)):
        sequence = Sequence(model, batch, layout, True, teacher.special_tokens)
        times = torch.full((2, CHUNKS), 0.05)
        scales = teacher._guided(sequence, batch, sequence.noisy_latents(times), times)
        assert scales.flatten(2).std(2).max() == 0
        assert scales[0, :, 0, 0, 0, 0].tolist() == [4.0, *[2.5] * (CHUNKS - 1)]
    alone = Sequence(model, batch, streaming(CHUNKS, 1), True, teacher.special_tokens)
    scales = teacher._guided(alone, batch, alone.noisy_latents(times), times)
    assert scales.unique().tolist() == [4.0]


class _CopiesBetweenDevices(TorchDispatchMode):
    """Notes what takes or makes tensors of two devices; a number of the CPU may be one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        tensors = [x for x in tree_leaves((args, kwargs, out)) if isinstance(x, Tensor) and x.dim()]
        if len({x.device.type for x in tensors}) > 1:
            self.found.append(str(func))
        return out


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("layout", [BEGINNING, streaming(CHUNKS, 3), pipeline(CHUNKS, 1, 4)])
def test_a_lesson_can_be_recorded(
    clips: Clips, t5_dir: Path, kind: Kind, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a device that only notes shapes: a CUDA graph holds no copy from or to the CPU."""
    monkeypatch.setattr(torch, "autocast", lambda *_args, **_kwargs: contextlib.nullcontext())
    nowhere = torch.device("meta")
    student, average = (VideoDiT(MODEL).to(nowhere) for _ in range(2))
    t5 = make_tiny_t5(tiny_t5_config(Tokenizer.load(t5_dir / "spiece.model").vocab_size))
    nn.Module.to(t5, nowhere)
    there = Clips(**{f.name: getattr(clips, f.name).to(nowhere) for f in dataclasses.fields(Clips)})
    if layout == BEGINNING:
        there = dataclasses.replace(there, latents=there.latents[:, :1])
    teacher = Teacher(student, average, load_tokens(t5_dir.parent, nowhere))

    def step() -> None:
        teacher.loss(Lesson(kind, layout), draw_batch(there, t5, 2)).backward()

    step()  # what is made once may be copied
    with _CopiesBetweenDevices() as copies:
        step()
    assert copies.found == []
    assert student.rope.bands.grad is not None


def test_clips_start_from_their_image_where_they_are_held(vae: ViTVAE) -> None:
    options = SceneOptions(held_starts=0.5, num_chunks=CHUNKS)
    scenes = sample_scenes(6, torch.Generator().manual_seed(2), options)
    latents = encode_clips(vae, scenes)
    assert latents.shape == (6, 16, CHUNKS * pocket.CHUNK_WIDTH, 16, 16)
    free = dataclasses.replace(scenes, hold_frames=torch.zeros_like(scenes.hold_frames))
    first = data.render(scenes, data.simulate(scenes, 1))
    image = vae.encode(train_vae.pixels_to_video(first)) * pocket.SCALE_FACTOR
    held = scenes.hold_frames > 0
    assert held.any()
    assert not held.all()
    torch.testing.assert_close(latents[held, :, :1], image[held])
    assert not torch.allclose(latents[~held, :, :1], image[~held])
    torch.testing.assert_close(latents[~held], encode_clips(vae, free)[~held])


def test_a_script_is_written_in_parts_that_differ(
    t5_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "_SCENES_AT_ONCE", 5)
    monkeypatch.setattr(data, "_MOST_WRITERS", 1)
    script = cached_script(tmp_path, t5_dir, count=12, seed=5)
    assert len(script.scenes) == len(script.tokens) == 12
    assert len(script.scenes.start.unique(dim=0)) == 12


def test_a_caption_names_the_size_of_what_is_shown_with_a_wrong_one(
    t5_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    def encode(_: Path, captions: list[str]) -> Tensor:
        written.extend(captions)
        return torch.ones(len(captions), 1)

    monkeypatch.setattr(data, "encode_corpus", encode)
    options = SceneOptions(
        two_objects=0.0, events=1.0, held_starts=1.0, wrong_sizes=0.5, motions=(Motion.STILL,)
    )
    script = data.write_script(t5_dir, 400, 5, options, wordings=1)
    unusual = ((script.scenes.radius[:, 0] - RADIUS[SizeBand.NORMAL]).abs() > 0.01).tolist()
    words = set(SMALL_WORDS + LARGE_WORDS)
    named = [not words.isdisjoint(text.lower().split()) for text in written]
    wrong = (script.scenes.wrong_chunks > 0).tolist()
    for captions in (named[:400], named[400:]):  # before and after the event
        of_right: list[bool] = []
        for says, has, is_wrong in zip(captions, unusual, wrong, strict=True):
            if is_wrong:
                assert says == has
            elif has:
                of_right.append(says)
        assert 0.05 < sum(of_right) / len(of_right) < 0.4  # the picture shows it


def test_a_script_is_written_once(t5_dir: Path, tmp_path: Path) -> None:
    script = cached_script(tmp_path, t5_dir, count=40, seed=5)
    assert script.tokens.shape[:3] == (40, 2, 2)
    [path] = tmp_path.iterdir()
    written = path.stat().st_mtime_ns
    again = cached_script(tmp_path, t5_dir, count=40, seed=5)
    assert path.stat().st_mtime_ns == written
    cached_script(tmp_path, t5_dir, 2, 5, data.EVERYTHING)
    cached_script(tmp_path, t5_dir, 2, 5, dataclasses.replace(data.EVERYTHING, two_objects=1.0))
    assert len(list(tmp_path.iterdir())) == 3
    assert torch.equal(script.tokens, again.tokens)
    assert torch.equal(script.scenes.start, again.scenes.start)
    # Without an event both captions of a wording are one.
    changed = script.scenes.event_frame != NO_EVENT
    same = (script.tokens[:, :, 0] == script.tokens[:, :, 1]).all(-1)
    assert bool(same[~changed].all())
    assert not bool(same[changed].any())


def test_batches_give_images_to_held_clips(clips: Clips, t5_dir: Path) -> None:
    torch.manual_seed(3)
    vocabulary = Tokenizer.load(t5_dir / "spiece.model").vocab_size
    t5 = make_tiny_t5(tiny_t5_config(vocabulary))
    held = dataclasses.replace(
        clips, held=torch.ones_like(clips.held), given=torch.zeros_like(clips.given)
    )
    batch = draw_batch(held, t5, 64)
    assert batch.clean.shape == (64, CHUNKS, 16, pocket.CHUNK_WIDTH, 16, 16)
    assert batch.noise.shape == batch.clean.shape
    assert batch.captions.shape[:2] == (64, 2)
    given = batch.pasted.sum(-1)  # (N, chunks)
    assert set(given[:, 0].tolist()) <= {0, 1}
    assert 0.6 < float(given[:, 0].float().mean()) <= 1
    later = given[:, 1:]
    assert 0.05 < float((later > 0).float().mean()) < 0.3
    assert int(later.max()) < pocket.CHUNK_WIDTH
    # Given frames come first in their chunk.
    assert torch.equal(batch.pasted, torch.arange(pocket.CHUNK_WIDTH) < given[..., None])
