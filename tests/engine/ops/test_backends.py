from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from magi_engine.ops import backends
from magi_engine.ops.attention import attention, attention_by_products
from magi_engine.ops.backends import Backend, ChosenAttention, attention_for, fault_of
from magi_engine.ops.mesh import Mesh
from magi_engine.ops.quantised_attention import e4m3_attention, int8_attention


class Noted:
    """An attention that counts its calls and may be wrong."""

    def __init__(self, seconds: float, error: float = 0.0, refuses: bool = False) -> None:
        self.seconds, self.error, self.refuses = seconds, error, refuses
        self.calls = 0

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if self.refuses:
            raise RuntimeError("not these inputs")
        self.calls += 1
        return attention(q, k, v) * (1 + self.error)


def inputs(keys: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(1, 40, 4, 8, generator=generator)
    k, v = torch.randn(2, 1, keys, 2, 8, generator=generator)
    return q, k, v


def chosen(
    *, preferred: str | None = None, quantised: tuple[str, ...] = (), **backends: Noted
) -> ChosenAttention:
    def clock(call: Callable[[], Tensor]) -> float:
        before = {name: noted.calls for name, noted in backends.items()}
        call()
        return next(b.seconds for name, b in backends.items() if b.calls > before[name])

    return ChosenAttention(
        [Backend(name, noted, name not in quantised) for name, noted in backends.items()],
        clock,
        preferred,
    )


def test_the_fastest_that_is_right_is_used() -> None:
    slow, fast = Noted(2.0), Noted(1.0)
    wrong, broken = Noted(0.1, error=0.05), Noted(0.2, error=float("nan"))
    refuses = Noted(0.3, refuses=True)
    pick = chosen(slow=slow, wrong=wrong, fast=fast, broken=broken, refuses=refuses)
    q, k, v = inputs(keys=30)
    torch.testing.assert_close(pick(q, k, v), attention(q, k, v))
    assert [t.backend for t in pick.timings if t.chosen] == ["fast"]
    assert {t.backend: t.seconds for t in pick.timings}["refuses"] is None
    tried = (slow.calls, wrong.calls, broken.calls)
    fast_calls = fast.calls
    pick(q, k, v)
    assert (slow.calls, wrong.calls, broken.calls) == tried, "tried once only"
    assert fast.calls == fast_calls + 1


def test_a_quantised_one_may_be_less_exact_but_not_wrong() -> None:
    exact, rounded, wrong = Noted(2.0), Noted(1.0, error=0.05), Noted(0.5, error=0.1)
    pick = chosen(quantised=("rounded", "wrong"), exact=exact, rounded=rounded, wrong=wrong)
    pick(*inputs(keys=1100))
    assert [t.backend for t in pick.timings if t.chosen] == ["rounded"]
    assert {t.backend for t in pick.timings} == {"exact", "rounded", "wrong"}


def test_few_keys_are_never_quantised() -> None:
    exact, rounded = Noted(2.0), Noted(1.0, error=0.05)
    pick = chosen(quantised=("rounded",), exact=exact, rounded=rounded)
    pick(*inputs(keys=30))
    assert [t.backend for t in pick.timings] == ["exact"]
    assert rounded.calls == 0


def test_few_keys_are_not_given_to_what_plans_for_each_shape() -> None:
    plans, plain = Noted(1.0), Noted(2.0)
    pick = ChosenAttention([Backend("plans", plans, plans=True), Backend("plain", plain)])
    pick(*inputs(keys=30))
    assert (plans.calls, [t.backend for t in pick.timings]) == (0, ["plain"])
    pick(*inputs(keys=1100))
    assert {t.backend for t in pick.timings[1:]} == {"plans", "plain"}


def test_the_preferred_one_is_used_where_it_works() -> None:
    slow, fast = Noted(2.0), Noted(1.0)
    pick = chosen(preferred="slow", slow=slow, fast=fast)
    pick(*inputs(keys=30))
    assert [t.backend for t in pick.timings if t.chosen] == ["slow"]
    pick = chosen(preferred="slow", slow=Noted(2.0, refuses=True), fast=fast)
    pick(*inputs(keys=30))
    assert [t.backend for t in pick.timings if t.chosen] == ["fast"]


def test_too_little_memory_is_no_refusal() -> None:
    def full(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("full")

    with pytest.raises(torch.OutOfMemoryError):
        ChosenAttention([Backend("full", full)])(*inputs(keys=30))


def test_what_is_known_is_not_tried_again() -> None:
    first = chosen(one=Noted(1.0), other=Noted(2.0))
    first(*inputs(keys=30))
    one, other = Noted(5.0), Noted(0.1)
    backends = [Backend("one", one), Backend("other", other)]
    again = ChosenAttention(backends, known=first.timings)
    again(*inputs(keys=30))
    assert (one.calls, other.calls) == (1, 0), "used, not measured"
    assert again.timings == first.timings
    # With a backend that nothing is known of, all are tried.
    third = chosen(one=Noted(5.0), other=Noted(0.1), new=Noted(3.0))
    third._known = {(t.kind, t.backend): t for t in first.timings}
    third(*inputs(keys=30))
    assert [t.backend for t in third.timings if t.chosen] == ["other"]


def test_all_of_a_mesh_use_what_the_leading_one_tried() -> None:
    said: list[Any] = []

    def tell(value: Any) -> Any:
        said.append(value)
        return value

    leading = chosen(one=Noted(1.0), other=Noted(2.0))
    leading(*inputs(keys=30))
    leading.share(Mesh(0, 2, tell))
    leading(*inputs(keys=2000))
    one, other = Noted(9.0), Noted(0.1)
    follower = chosen(one=one, other=other)
    follower(*inputs(keys=30))  # alone it would have taken the other
    one.calls = other.calls = 0
    follower.share(Mesh(1, 2, lambda _: said.pop(0)))
    for keys in (30, 2000):
        follower(*inputs(keys=keys))
    assert (one.calls, other.calls) == (2, 0), "used, not measured"
    assert not said


def test_what_is_quantised_is_said() -> None:
    pick = chosen(quantised=("rounded",), exact=Noted(2.0), rounded=Noted(1.0, error=0.05))
    pick(*inputs(keys=30))
    assert pick.quantised is None
    pick(*inputs(keys=1100))
    assert pick.quantised == "rounded"


def test_few_and_many_keys_are_chosen_for_apart() -> None:
    pick = chosen(one=Noted(1.0), other=Noted(2.0))
    pick(*inputs(keys=30))
    pick(*inputs(keys=40))
    assert len(pick.timings) == 2
    pick(*inputs(keys=2000))
    assert len(pick.timings) == 4
    assert pick.timings[-1].inputs == "40 x 2000, 4/2 x 8"


def test_pytorch_decides_where_none_is_right() -> None:
    pick = chosen(wrong=Noted(0.1, error=0.05), refuses=Noted(0.1, refuses=True))
    q, k, v = inputs(keys=30)
    assert torch.equal(pick(q, k, v), attention(q, k, v))
    assert not any(t.chosen for t in pick.timings)


@pytest.mark.parametrize("bfloat16", [False, True])
def test_the_cpu_has_the_plain_ones(bfloat16: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "has_bfloat16_products", lambda _device: bfloat16)
    used = attention_for(torch.device("cpu"))
    for dtype in (torch.float32, torch.bfloat16):
        q, k, v = (x.to(dtype) for x in inputs(30))
        by_products = bfloat16 and dtype is torch.bfloat16
        expected = attention_by_products(q, k, v) if by_products else attention(q, k, v)
        assert torch.equal(used(q, k, v), expected)


def test_a_quantised_attention_that_does_not_work_is_told_of() -> None:
    cpu = torch.device("cpu")

    def cannot(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        raise RuntimeError("CUDA_ERROR_INVALID_PTX")

    assert fault_of(Backend("int8", int8_attention, exact=False), cpu) is None
    assert fault_of(Backend("fp8", e4m3_attention, exact=False), cpu) is None
    wrong = Backend("int8", lambda q, k, v: int8_attention(q, k, v) * 1.1, exact=False)
    assert "error of int8 attention is 0.10" in str(fault_of(wrong, cpu))
    nothing = Backend("int8", lambda q, k, v: q * torch.nan, exact=False)
    assert "error of int8 attention is nan" in str(fault_of(nothing, cpu))
    assert "CUDA_ERROR_INVALID_PTX" in str(fault_of(Backend("int8", cannot, exact=False), cpu))
