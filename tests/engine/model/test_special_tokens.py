"""Special tokens: the structure of the file, its checks, and which vector stands for what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from magi_engine.errors import ModelNotFoundError, WeightsError
from magi_engine.model.special_tokens import (
    DEFAULT_TOKENS,
    SpecialToken,
    SpecialTokens,
    reading_order,
)

_WIDTH = 12


def _arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {
        "caption_token": rng.normal(size=(1, _WIDTH)),
        "logo_token": rng.normal(size=(1, _WIDTH)),
        "other_tokens": rng.normal(size=(100, _WIDTH)),
    }


def _save(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return _save(tmp_path / "special_tokens.npz", **_arrays())


def _rounded(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values).to(torch.float16).float()


@pytest.mark.parametrize(
    ("token", "row"),
    [
        (SpecialToken.TRANS, 0),
        (SpecialToken.HQ, 1),
        (SpecialToken.STATIC_FIRST_FRAMES, 2),
        (SpecialToken.DYNAMIC_FIRST_FRAMES, 3),
        (SpecialToken.BORDERNESS, 4),
        (SpecialToken.THREE_D_MODEL, 15),
        (SpecialToken.TWO_D_ANIME, 16),
    ],
)
def test_each_token_is_its_row_with_float16_precision(
    path: Path, token: SpecialToken, row: int
) -> None:
    vector = SpecialTokens.load(path).vector(token)
    assert vector.dtype is torch.float32
    assert torch.equal(vector, _rounded(_arrays()["other_tokens"][row]))


def test_caption_and_logo_have_arrays_of_their_own(path: Path) -> None:
    tokens = SpecialTokens.load(path)
    assert torch.equal(tokens.vector(SpecialToken.CAPTION), _rounded(_arrays()["caption_token"][0]))
    assert torch.equal(tokens.vector(SpecialToken.LOGO), _rounded(_arrays()["logo_token"][0]))


@pytest.mark.parametrize(("chunks_left", "row"), [(0, 7), (1, 8), (7, 14), (8, 14), (99, 14)])
def test_duration_counts_up_to_seven(path: Path, chunks_left: int, row: int) -> None:
    duration = SpecialTokens.load(path).duration(chunks_left)
    assert torch.equal(duration, _rounded(_arrays()["other_tokens"][row]))


def test_an_open_end_is_seven_or_more(path: Path) -> None:
    tokens = SpecialTokens.load(path)
    assert torch.equal(tokens.duration(None), tokens.duration(7))


def test_reads_the_golden_file(goldens: Path) -> None:
    tokens = SpecialTokens.load(goldens / "special_tokens.npz")
    assert tokens.width == 64
    assert tokens.durations.shape == (8, 64)


def test_reading_order_is_fixed_and_the_default_is_in_it() -> None:
    chosen = [SpecialToken.HQ, SpecialToken.STATIC_FIRST_FRAMES, SpecialToken.DURATION]
    expected = (SpecialToken.DURATION, SpecialToken.HQ, SpecialToken.STATIC_FIRST_FRAMES)
    assert reading_order(chosen) == expected
    assert reading_order(reversed([*chosen, *chosen])) == expected
    assert reading_order(DEFAULT_TOKENS) == DEFAULT_TOKENS


def test_official_names_are_the_values() -> None:
    assert SpecialToken("HQ_TOKEN") is SpecialToken.HQ
    assert SpecialToken("DURATION_TOKEN") is SpecialToken.DURATION


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"none\.npz"):
        SpecialTokens.load(tmp_path / "none.npz")


def test_a_truncated_file_is_an_error(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(WeightsError):
        SpecialTokens.load(path)


def test_a_bare_array_is_an_error(tmp_path: Path) -> None:
    np.save(tmp_path / "tokens.npy", np.zeros((100, 4)))
    with pytest.raises(WeightsError, match="cannot be read"):
        SpecialTokens.load(tmp_path / "tokens.npy")


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    arrays = _arrays() | {"caption_token": np.array([[{"code": 1}]], dtype=object)}
    with pytest.raises(WeightsError):
        SpecialTokens.load(_save(tmp_path / "tokens.npz", **arrays))


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("other_tokens", np.zeros((16, _WIDTH))),
        ("logo_token", np.zeros(_WIDTH)),
        ("caption_token", np.zeros((1, _WIDTH), dtype=np.int64)),
    ],
)
def test_a_wrong_array_is_named(tmp_path: Path, name: str, array: np.ndarray) -> None:
    with pytest.raises(WeightsError, match=name):
        SpecialTokens.load(_save(tmp_path / "tokens.npz", **(_arrays() | {name: array})))


def test_a_missing_array_is_named(tmp_path: Path) -> None:
    arrays = _arrays()
    del arrays["logo_token"]
    with pytest.raises(WeightsError, match="logo_token"):
        SpecialTokens.load(_save(tmp_path / "tokens.npz", **arrays))


def test_widths_must_agree(tmp_path: Path) -> None:
    arrays = _arrays() | {"logo_token": np.zeros((1, _WIDTH + 1))}
    with pytest.raises(WeightsError, match="width"):
        SpecialTokens.load(_save(tmp_path / "tokens.npz", **arrays))


def test_values_must_be_finite(tmp_path: Path) -> None:
    arrays = _arrays()
    arrays["other_tokens"][1, 0] = np.nan
    with pytest.raises(WeightsError, match="finite"):
        SpecialTokens.load(_save(tmp_path / "tokens.npz", **arrays))
