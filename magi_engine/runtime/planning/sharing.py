"""Which cards make a video together, and whether they are faster than one. Needs no PyTorch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from magi_engine.config.official import ModelConfig
from magi_engine.config.sizes import most_ranks
from magi_engine.messages import NOTHING, Message
from magi_engine.runtime.machine.facts import MachineFacts
from magi_engine.runtime.machine.speeds import Speed, Speeds, several
from magi_engine.runtime.planning.costs import DitCosts

_LATENCY_S = 0.2e-3
"""Of one exchange, however little is sent; with it, what is predicted for 720x720 is what two H200
and four were seen to do."""


@dataclass(frozen=True)
class Sharing:
    """Who computes.

    Attributes:
        devices: the first of them leads.
        speed: of all together.
        measured: whether that rests on earlier generations.
        notice: why it is not as many as were asked for.
    """

    devices: tuple[str, ...]
    speed: Speed
    measured: bool
    notice: Message = NOTHING


def share(
    wanted: int,
    device: str,
    facts: MachineFacts,
    model: ModelConfig,
    tokens: int,
    itemsize: int,
    costs: DitCosts,
    alone: Sharing,
    known: Speed | None,
) -> Sharing:
    """The devices for a request.

    Args:
        wanted: how many cards are asked for; 0: all there are.
        device: the one that leads.
        tokens: of a chunk.
        itemsize: bytes of a number.
        alone: how one device would do.
        known: the speed of these cards together, if it was measured; see :func:`together`.
    """
    if wanted == 1:
        return alone
    others = facts.further_cards if device == facts.device else ()
    if not others:
        why = facts.no_further_card or Message("This device was chosen by its name.")
        return _one(alone, why) if wanted else alone
    there = 1 + len(others)
    count = together(wanted, device, facts, model)
    if count == 1:
        return _one(alone, Message("The heads of this model cannot be shared so."))
    notice = NOTHING
    if wanted > there:
        notice = Message(
            "This machine has {there:card|cards} of one kind, not {wanted}.",
            there=there,
            wanted=wanted,
        )
    if count < min(wanted or there, there):
        notice = Message(
            "{count:card makes|cards make} this video: this model cannot be shared by {wanted}.",
            count=count,
            wanted=min(wanted or there, there),
        )
    speed = known or _predicted(alone.speed, count, facts, model, tokens, itemsize, costs)
    comparable = known is None or alone.measured
    if comparable and speed.dit_flops_per_s <= alone.speed.dit_flops_per_s:
        return _one(alone, Message("{count} together would be slower.", count=count))
    return Sharing((device, *others[: count - 1]), speed, known is not None, notice)


def together(wanted: int, device: str, facts: MachineFacts, model: ModelConfig) -> int:
    """How many cards can make a video of a model together, of those asked for."""
    there = 1 + len(facts.further_cards) if device == facts.device else 1
    heads, groups = model.num_attention_heads, model.num_query_groups
    return most_ranks(heads, groups, min(wanted or there, there))


def known_together(
    speeds: Speeds,
    count: int,
    name: str,
    facts: MachineFacts,
    dtype: str,
    tokens: int,
    alone: Speed,
) -> Speed | None:
    """What so many cards were measured to do together, the rest as one alone."""
    if count == 1:
        return None
    known = speeds.measured(name, several(count, facts.device_name), dtype, tokens)
    return None if known is None else known.or_else(alone)


def _one(alone: Sharing, why: Message) -> Sharing:
    return dataclasses.replace(alone, notice=Message("One card makes this video. {why}", why=why))


def _predicted(
    alone: Speed,
    count: int,
    facts: MachineFacts,
    model: ModelConfig,
    tokens: int,
    itemsize: int,
    costs: DitCosts,
) -> Speed:
    """As one card computes, with the exchanges of every layer in between.

    Of a chunk that sees only itself; those that see more compute more for the same exchange.
    """
    numbers = 2 * model.hidden_size + 2 * model.num_query_groups * model.kv_channels
    leaves = tokens / count * (1 - 1 / count) * numbers * itemsize
    exchange_s = model.num_layers * (
        2 * _LATENCY_S + leaves / max(facts.card_to_card_bytes_per_s, 1.0)
    )
    operations = costs.linear + costs.attention
    compute_s = operations / alone.dit_flops_per_s / count
    return dataclasses.replace(alone, dit_flops_per_s=operations / (compute_s + exchange_s))
