"""T5 end to end on a tiny one in the official layout, against transformers' padded computation."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from magi_engine.errors import ModelNotFoundError, WeightsError
from magi_engine.model.caption_cleaning import clean_caption
from magi_engine.model.tokenizer import Tokenizer
from magi_engine.training.tokenizer import (
    make_tiny_t5,
    save_t5,
    tiny_t5_config,
    train_tokenizer,
)
from magi_engine.weights.text_encoder import load_text_encoder

_WIDTH = 32
_PROMPT = "A large red circle moves left, slowly & quietly, over a green background!"


@pytest.fixture(scope="module")
def corpus() -> list[str]:
    return [
        f"A {size} {colour} {shape} moves {way} over a white background."
        for size in ("large", "small")
        for colour in ("red", "green", "blue")
        for shape in ("circle", "square", "star")
        for way in ("left", "right", "up", "down")
    ]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, corpus: list[str]) -> Path:
    """A folder in the official layout; do not change it."""
    folder = tmp_path_factory.mktemp("t5")
    vocab_size = train_tokenizer(corpus, folder, vocab_size=300)
    config = tiny_t5_config(vocab_size, d_model=_WIDTH, layers=3, heads=4, d_ff=48)
    save_t5(make_tiny_t5(config, seed=1), folder)
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(original, tmp_path / "t5"))


def _padded(folder: Path, prompt: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The official way, all through transformers: 800 tokens and a mask; (800, C) and (800,)."""
    from transformers import AutoTokenizer, T5EncoderModel

    tokenizer = AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(
        [clean_caption(prompt)],
        max_length=800,
        padding="max_length",
        truncation=True,
        add_special_tokens=True,
        return_tensors="pt",
    )
    model = T5EncoderModel.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        output = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask)
    return output.last_hidden_state[0], batch.attention_mask[0]


@pytest.mark.parametrize(
    "prompt", [_PROMPT, "zebra", "a red star " * 40, "a red star " * 10_000, "emoji 😀☕ cup 1"]
)
def test_equals_the_padded_official_computation(original: Path, prompt: str) -> None:
    encoded = load_text_encoder(original).encode(prompt)
    expected, mask = _padded(original, prompt)
    assert encoded.embedding.shape == (int(mask.sum()), _WIDTH)
    torch.testing.assert_close(encoded.embedding, expected[mask.bool()], atol=2e-5, rtol=2e-5)


def test_tokens_equal_those_of_transformers(original: Path) -> None:
    from transformers import AutoTokenizer

    official = AutoTokenizer.from_pretrained(original)
    tokenizer = Tokenizer.load(original / "spiece.model")
    goldens = Path(__file__).resolve().parents[2] / "goldens" / "text_cleaning.json"
    for pair in json.loads(goldens.read_text("utf-8")):
        ids = tokenizer.encode(pair["raw"]).ids
        assert list(ids) == (official(pair["clean"]).input_ids if pair["clean"] else [])


def test_the_embedding_is_fp32_and_free_of_the_graph(original: Path) -> None:
    embedding = load_text_encoder(original).encode(_PROMPT).embedding
    assert embedding.dtype is torch.float32
    assert embedding.device.type == "cpu"
    assert not embedding.requires_grad
    assert embedding.std() > 0.1


@pytest.mark.parametrize("prompt", ["", "   ", "球", "***"])
def test_an_empty_prompt_has_no_tokens(original: Path, prompt: str) -> None:
    encoded = load_text_encoder(original).encode(prompt)
    assert encoded.embedding.shape == (0, _WIDTH)
    assert (encoded.token_count, encoded.was_cut) == (0, False)


def test_ten_thousand_words_are_cut_and_say_so(original: Path) -> None:
    encoded = load_text_encoder(original).encode("star " * 10_000)
    assert encoded.embedding.shape == (800, _WIDTH)
    assert encoded.token_count > 10_000
    assert encoded.was_cut


def test_a_prompt_of_exactly_the_maximum_is_not_cut(original: Path) -> None:
    count = load_text_encoder(original).encode(_PROMPT).token_count
    exact = load_text_encoder(original, max_length=count).encode(_PROMPT)
    assert (exact.embedding.shape[0], exact.was_cut) == (count, False)
    shorter = load_text_encoder(original, max_length=count - 1).encode(_PROMPT)
    assert (shorter.embedding.shape[0], shorter.was_cut) == (count - 1, True)


def test_the_cut_keeps_the_end_of_text_token(original: Path) -> None:
    whole = Tokenizer.load(original / "spiece.model").encode(_PROMPT)
    cut = Tokenizer.load(original / "spiece.model", max_length=5).encode(_PROMPT)
    assert cut.ids == (*whole.ids[:4], whole.ids[-1])
    assert cut.count == whole.count == len(whole.ids)


def test_once_closed_it_encodes_nothing(original: Path) -> None:
    encoder = load_text_encoder(original)
    encoder.close()
    with pytest.raises(RuntimeError, match="closed"):
        encoder.encode(_PROMPT)


# ---- the published format: two fp32 pickles with an index


def _to_pickles(folder: Path) -> None:
    path = folder / "model.safetensors"
    state = {name: tensor.clone() for name, tensor in load_file(path).items()}
    state["encoder.embed_tokens.weight"] = state["shared.weight"]  # the release stores both
    path.unlink()
    names = sorted(state)
    parts = {"pytorch_model-00001-of-00002.bin": names[:9]}
    parts["pytorch_model-00002-of-00002.bin"] = names[9:]
    for name, members in parts.items():
        torch.save({member: state[member] for member in members}, folder / name)
    weight_map = {member: name for name, members in parts.items() for member in members}
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))


def test_pickles_give_the_same_embedding(original: Path, folder: Path) -> None:
    _to_pickles(folder)
    expected = load_text_encoder(original).encode(_PROMPT).embedding
    assert torch.equal(load_text_encoder(folder).encode(_PROMPT).embedding, expected)


class _Exploit:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.trace),)


def test_code_in_the_pickles_is_refused_and_not_run(folder: Path) -> None:
    _to_pickles(folder)
    trace = folder / "executed"
    torch.save({"shared.weight": _Exploit(trace)}, folder / "pytorch_model-00002-of-00002.bin")
    with pytest.raises(WeightsError, match="nothing in it was run"):
        load_text_encoder(folder)
    assert not trace.exists()


def test_half_precision_files_are_used_in_fp32(folder: Path) -> None:
    from safetensors.torch import save_file

    path = folder / "model.safetensors"
    save_file({name: t.bfloat16() for name, t in load_file(path).items()}, path)
    assert load_text_encoder(folder).encode(_PROMPT).embedding.dtype is torch.float32


# ---- folders that are incomplete or wrong


@pytest.mark.parametrize("name", ["config.json", "spiece.model", "model.safetensors"])
def test_a_missing_file_is_an_error(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelNotFoundError, match=name.replace(".", r"\.")):
        load_text_encoder(folder)


@pytest.mark.parametrize("content", [b"", b"not a tokenizer", bytes(100)])
def test_a_damaged_tokenizer_is_an_error(folder: Path, content: bytes) -> None:
    (folder / "spiece.model").write_bytes(content)
    with pytest.raises(WeightsError, match=r"spiece\.model"):
        load_text_encoder(folder)


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"model_type": "bert"}', '{"model_type": "t5", "feed_forward_proj": "gated"}'],
)
def test_a_wrong_config_is_an_error(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(WeightsError, match=r"config\.json"):
        load_text_encoder(folder)


def test_a_tokenizer_too_large_for_its_encoder_is_an_error(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": 10}))
    with pytest.raises(WeightsError, match="10"):
        load_text_encoder(folder)


def test_weights_of_another_size_are_an_error(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"d_ff": 64}))
    with pytest.raises(WeightsError, match="wi_0"):
        load_text_encoder(folder)
