from __future__ import annotations

import pytest
import torch
from torch import Tensor

from magi_engine.errors import InvalidRequestError
from magi_engine.model.special_tokens import SpecialToken
from magi_engine.sampling.prompts import CaptionTrack


def test_the_sequence_reads_duration_then_quality_then_the_caption(toy) -> None:
    caption = toy.caption(seed=1)
    track = CaptionTrack(caption, toy.special_tokens)
    found = track.start(0, chunks_left=2)
    tokens = toy.special_tokens
    expected = [tokens.duration(2)[None], tokens.vector(SpecialToken.HQ)[None], caption]
    assert found is not None
    assert torch.equal(found, torch.cat(expected))


@pytest.mark.parametrize(("left", "row"), [(0, 0), (3, 3), (7, 7), (8, 7), (500, 7), (None, 7)])
def test_the_duration_token_counts_the_chunks_left(toy, left: int | None, row: int) -> None:
    track = toy.track(SpecialToken.DURATION)
    assert torch.equal(track.start(0, left)[0], toy.special_tokens.durations[row])


def test_tokens_stand_in_their_official_order_whatever_was_asked_for_first(toy) -> None:
    names = [SpecialToken.STATIC_FIRST_FRAMES, SpecialToken.TWO_D_ANIME, SpecialToken.HQ]
    forwards, backwards = (toy.track(*order) for order in (names, names[::-1]))
    first = forwards.start(0, None)
    assert torch.equal(first, backwards.start(0, None))
    vector = toy.special_tokens.vector
    expected = [vector(SpecialToken.TWO_D_ANIME), vector(SpecialToken.HQ)]
    assert torch.equal(first[:2], torch.stack(expected))
    assert torch.equal(first[2], vector(SpecialToken.STATIC_FIRST_FRAMES))


def test_the_end_of_a_long_caption_is_cut_not_its_special_tokens(toy) -> None:
    caption = toy.caption(seed=1, length=20)
    track = CaptionTrack(caption, toy.special_tokens, max_length=20)
    found = track.start(0, None)
    assert found is not None
    assert len(found) == 20
    assert torch.equal(found[2:], caption[:18])


def test_each_chunk_has_the_last_caption_given_before_it(toy) -> None:
    captions = {0: toy.caption(1), 2: toy.caption(2), 5: toy.caption(3)}
    track = toy.track()
    track.change(5, captions[5])
    track.change(2, captions[2])
    expected = [0, 0, 2, 2, 2, 5, 5]
    found = [track.start(chunk, None) for chunk in range(7)]
    for caption, source in zip(found, expected, strict=True):
        assert torch.equal(caption, captions[source])


def test_a_chunk_that_has_started_keeps_its_caption(toy) -> None:
    track = toy.track()
    assert track.first_open_chunk == 0
    for chunk in range(3):
        track.start(chunk, None)
    assert track.first_open_chunk == 3
    for chunk in (-1, 0, 2):
        with pytest.raises(InvalidRequestError) as caught:
            track.change(chunk, toy.caption(2))
        assert str(caught.value.hint) == "Change the prompt from chunk 3 on."
    track.change(3, toy.caption(2))
    assert torch.equal(track.start(3, None), toy.caption(2))


def test_a_caption_can_be_changed_until_it_is_used(toy) -> None:
    track = toy.track()
    track.change(1, toy.caption(2))
    track.change(1, toy.caption(3))
    track.start(0, None)
    track.change(1, toy.caption(4))
    assert torch.equal(track.start(1, None), toy.caption(4))


def test_no_prompt_is_no_caption_at_all(toy) -> None:
    track = CaptionTrack(toy.caption(1)[:0], toy.special_tokens)
    assert track.start(0, 3) is None
    track.change(1, toy.caption(1))
    assert track.start(1, 2) is not None
    track.change(2, toy.caption(1)[:0])
    assert track.start(2, 1) is None


def test_negative_tokens_push_the_end_of_the_null_caption_out(toy) -> None:
    null = toy.caption(1, length=50)
    vector = toy.special_tokens.vector
    expected = [
        vector(token)
        for token in (
            SpecialToken.BORDERNESS,
            SpecialToken.TRANS,
            SpecialToken.LOGO,
            SpecialToken.CAPTION,
        )
    ]
    track = CaptionTrack(toy.caption(1), toy.special_tokens, negative=True)
    assert torch.equal(track.null_caption(null), torch.cat([torch.stack(expected), null[:46]]))
    assert torch.equal(toy.track().null_caption(null), null)


def test_special_tokens_come_in_the_captions_dtype(toy) -> None:
    track = CaptionTrack(toy.caption(1).bfloat16(), toy.special_tokens)
    caption: Tensor | None = track.start(0, None)
    assert caption is not None
    assert caption.dtype is torch.bfloat16
