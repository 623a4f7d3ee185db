"""Where models live for a request, by nothing but numbers; and what happens when it was wrong."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from magi_engine.config.official import MagiConfig
from magi_engine.config.sizes import MORE_PART_TOKENS, PART_TOKENS, TILES_AT_ONCE
from magi_engine.config.vae import VaeConfig
from magi_engine.resources import resource_path
from magi_engine.runtime.planning.placement import Placement, Sizes, place, placements

GIB = 2**30


def sizes(name: str = "4.5B_distill_quant", window: int = 4, on_card: bool = True) -> Sizes:
    config = MagiConfig.from_json(resource_path("configs", f"{name}_config.json"))
    runtime = dataclasses.replace(config.runtime_config, window_size=window)
    config = dataclasses.replace(config, runtime_config=runtime)
    vae = VaeConfig()
    return Sizes.of(config, vae, 4, 0, 2, on_card)


def offloads(way: Placement) -> bool:
    """Whether anything comes from the host's memory again and again."""
    return bool(way.offloaded_layers) or way.cache_on_host


def test_the_first_ways_are_what_the_models_do_by_themselves_in_one_or_two_parts() -> None:
    first, second, *_ = placements(sizes())
    assert (first.part_tokens, second.part_tokens) == (MORE_PART_TOKENS, PART_TOKENS)
    for way in (first, second):
        assert way.tiles_at_once == TILES_AT_ONCE
        assert not offloads(way)
        assert way.decodes_beside
    small = dataclasses.replace(sizes(), tokens=600)
    assert next(w for w in placements(small) if not w.cuda_graphs).part_tokens == PART_TOKENS


def test_forwards_of_small_pictures_are_recorded_where_there_is_room() -> None:
    small = dataclasses.replace(sizes(window=1), tokens=3456)
    recorded, other = itertools.islice(placements(small), 2)
    assert recorded.cuda_graphs
    assert other == dataclasses.replace(
        recorded,
        cuda_graphs=False,
        device_bytes=recorded.device_bytes - small.graph_bytes(8192),
    )
    assert place(small, recorded.device_bytes - 1, 10**12)[0] == other
    assert not any(way.cuda_graphs for way in placements(sizes(window=1)))
    assert not any(way.cuda_graphs for way in placements(small) if offloads(way))


def test_what_runs_beside_each_other_is_counted_together() -> None:
    wanted = sizes()
    ways = list(placements(wanted))
    beside, in_turn = (
        next(w for w in ways if w.tiles_at_once == 2 and w.decodes_beside is choice)
        for choice in (True, False)
    )
    denoising = wanted.denoising_bytes(beside.part_tokens)
    decoding = wanted.decoding_bytes(beside.tiles_at_once)
    assert (in_turn.part_tokens, in_turn.cache_on_host) == (beside.part_tokens, False)
    more = beside.device_bytes - in_turn.device_bytes - min(denoising, decoding)
    assert 0 <= more < 64 << 20, "what a second queue takes for itself"
    # With a little too little room, one comes after the other.
    assert place(wanted, beside.device_bytes - 1, 10**12)[0] == in_turn
    assert not any(w.decodes_beside for w in ways if w.offloaded_layers)


@pytest.mark.parametrize("name", ["4.5B_distill_quant", "24B_distill_quant", "4.5B_base"])
@pytest.mark.parametrize("window", [1, 4])
def test_every_way_takes_less_of_the_card_than_the_one_before(name: str, window: int) -> None:
    ways = list(placements(sizes(name, window)))
    assert len(ways) >= 5
    for before, after in itertools.pairwise(ways):
        assert after.device_bytes < before.device_bytes
        assert after.host_bytes >= before.host_bytes
    assert ways[-1].device_bytes < ways[0].device_bytes / 2


def test_the_fastest_way_that_fits_is_taken() -> None:
    wanted = sizes()
    ways = list(placements(wanted))
    for index, way in enumerate(ways[:-1]):
        assert place(wanted, way.device_bytes, 10**12) == tuple(ways[index:])
        assert place(wanted, way.device_bytes - 1, 10**12) == tuple(ways[index + 1 :])
    assert place(wanted) == tuple(ways)
    assert place(wanted, 0, 10**12) == (ways[-1],)
    # What the host has no room for is not taken either.
    assert not offloads(place(wanted, 6 * GIB, 3 * 10**9)[0])


def test_on_the_processor_there_is_one_way() -> None:
    (only,) = placements(sizes(on_card=False))
    assert only.host_bytes > only.device_bytes
    assert place(sizes(on_card=False), None, 0) == (only,)


def test_limits_the_program_sets_itself() -> None:
    """720x720, the autoencoder's decoder included."""
    resident = next(way for way in placements(sizes()) if way.part_tokens == PART_TOKENS)
    assert resident.decodes_beside
    assert not offloads(resident)
    assert resident.device_bytes < 9.5 * GIB
    without_history = [w for w in placements(sizes(window=1)) if not w.offloaded_layers][-1]
    assert without_history.device_bytes < 7 * GIB
    assert list(placements(sizes(window=1)))[-1].device_bytes < 3 * GIB
    large, *_ = place(sizes("24B_distill_quant", window=1), 24 * GIB, 60 * 10**9)
    assert isinstance(large, Placement)
    assert 0 < large.device_bytes < 24 * GIB


@pytest.mark.parametrize("name", ["4.5B_distill_quant", "24B_distill_quant", "4.5B_base"])
@pytest.mark.parametrize("window", [1, 4])
def test_encoding_a_reference_fits_where_denoising_does(name: str, window: int) -> None:
    """It takes the whole autoencoder and no more than decoding does, before there is a cache."""
    wanted = sizes(name, window)
    for way in placements(wanted):
        cache = wanted.work_bytes() * (1 + way.cache_on_host) + wanted.caption_bytes()
        cache += 0 if way.cache_on_host else wanted.kept_bytes()
        weights = way.device_bytes - cache - wanted.denoising_bytes(way.part_tokens)
        encoder = wanted.vae_weights // 2
        assert weights + encoder + wanted.decoding_bytes(way.tiles_at_once) < way.device_bytes
