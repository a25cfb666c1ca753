"""Writes at places that an index names."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevit.graph.parity import distance
from edgevit.rewrites.arithmetic.expand_scatter import ExpandScatter
from edgevit.rewrites.arithmetic.expand_scatter.write import SCATTERS
from edgevit.rewrites.arithmetic.flatten_puts import FlattenPuts
from edgevit.rewrites.engine import apply
from tests.rewrites.checking import Call, check_rewrite, kinds

X, Y = torch.randn(2, 6, 3), torch.randn(2, 9, 3)
ROWS = torch.tensor([0, 5, 5, 2, 0, 5, 1, 1, 3])
EVERY = torch.randint(0, 6, (2, 9, 3))
EACH = torch.tensor([4, 1, 0, 5])
PLACES = {
    "rows": ROWS,
    "apart": ROWS[None, :, None],
    "every": EVERY,
    "each": EACH,
    "below": EACH - 6,
    "first": torch.tensor([0, 1, 1, 0]),
    "second": torch.tensor([3, 0, 5, 4]),
}
Net = Callable[..., torch.Tensor]


def expanded(s: Call) -> torch.Tensor:
    return s.apart.expand(2, 9, 3)  # type: ignore[operator]


def assigned(x: torch.Tensor, places: torch.Tensor, to: torch.Tensor) -> torch.Tensor:
    y = x.clone()
    y[:, places] = to
    return y


FIRES: dict[str, Net] = {
    "scatter_add": lambda s, x, y: x.scatter_add(1, expanded(s), y),
    "scatter_add, every place its own": lambda s, x, y: x.scatter_add(1, s.every, y),
    "index_add": lambda s, x, y: x.index_add(1, s.rows, y),
    "index_add, the last axis": lambda s, x, y: x.mT.index_add(-1, s.rows, y.mT),
    "index_put, adding": lambda s, x, y: x[0].index_put((s.rows,), y[0], accumulate=True),
    "index_put, two axes": lambda s, x, y: x.index_put((s.first, s.second), y[0, :4, :]),
    "index_put, negative": lambda s, x, y: assigned(x, s.below, y[:, :4]),
    "index_put of one number": lambda s, x, y: assigned(x, s.each, torch.tensor(2.0)),
    "index_copy": lambda s, x, y: x.index_copy(1, s.each, y[:, :4]),
    "scatter": lambda s, x, y: x.scatter(1, s.every[:, :1], y[:, :1]),
    "scatter of a number": lambda s, x, y: x.scatter(1, s.every, 2.5),
    "scatter, adding": lambda s, x, y: x.scatter(1, s.every, y, reduce="add"),
    "a computed place": lambda s, x, y: x.scatter(1, y[:, :6].argmax(1, True), 1.5),
    "computed places": lambda s, x, y: x.scatter_add(1, y.argsort(1) // 2, y),
    "computed rows": lambda s, x, y: x.scatter_add(1, (y[:, :, :1].argsort(1) // 2).expand_as(y), y),
    "whole numbers": lambda s, x, y: x.long().scatter(1, y[:, :6].argmax(1, True), 7) * x,
}  # fmt: skip
for how in ("sum", "mean", "amax", "amin", "prod"):
    for own in (True, False):
        FIRES[f"{how}, own {own}"] = lambda s, x, y, how=how, own=own: x.scatter_reduce(
            1, expanded(s), y, how, include_self=own
        )
        FIRES[f"{how} everywhere, own {own}"] = lambda s, x, y, how=how, own=own: x.scatter_reduce(
            1, s.every, y, how, include_self=own
        )
for how in ("sum", "mean", "amax", "amin"):
    for own in (True, False):
        FIRES[f"computed {how}, own {own}"] = lambda s, x, y, how=how, own=own: x.scatter_reduce(
            1, (y > 0).long() * 2 + (y > 1).long(), y, how, include_self=own
        )


@pytest.mark.parametrize("name", FIRES)
def test_written_without_a_scatter(name: str) -> None:
    net = Call(FIRES[name], **PLACES)
    after = check_rewrite(ExpandScatter(), net, X, Y, fires=1)
    assert not (SCATTERS | {"index_put"}) & set(kinds(after))


def computed(y: torch.Tensor) -> torch.Tensor:
    return (y[0, :4, 0] > 0).long()


PUTS: dict[str, Net] = {
    "one number": lambda s, x, y: x.index_put((computed(y), computed(y) + 1), torch.tensor(2.0)),
    "one number, behind": lambda s, x, y: x.index_put(
        (s.both, computed(y) + 1, computed(y)), torch.tensor(2.0)
    ),
    "sums": lambda s, x, y: x.index_put((s.both, computed(y)), y[0, :1], accumulate=True),
    "from the end": lambda s, x, y: x.index_put((computed(y) - 1,), torch.tensor(2.0)),
}


@pytest.mark.parametrize("name", PUTS)
def test_computed_places_of_several_axes(name: str) -> None:
    net = Call(PUTS[name], both=torch.tensor([[0], [-1]]))
    flat = check_rewrite(FlattenPuts(), net, X, Y, fires=1)
    after, fired, _ = apply(ExpandScatter(), flat)
    assert len(fired) == 1 and "index_put" not in kinds(after)
    assert distance(flat.run(), after.run()).rel_l2 <= 1e-6


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda s, x, y: x.scatter(1, y[:, :6].argsort(1), x), "places that are computed"),
        (lambda s, x, y: x.index_put((y[0].argmax(0)[:2] % 2,), x), "places that are computed"),
        (lambda s, x, y: x.index_put((s.mask,), torch.cat([y[0], y[1, :3]])), "a mask"),
        (lambda s, x, y: x.scatter_add(1, s.every[:, :, :2], y), "a part of the other axes"),
        (lambda s, x, y: x.scatter_add(1, s.every[:, :4], y), "larger than its index"),
        (lambda s, x, y: x.long().scatter_add(1, s.every, y.long()) * 1.0, "not of real numbers"),
    ],
)
def test_what_stays(function: Net, why: str) -> None:
    check_rewrite(
        ExpandScatter(), Call(function, mask=torch.ones(2, 6) > 0, **PLACES), X, Y, refuses=why
    )


def test_only_the_reductions_that_a_runtime_has_not() -> None:
    rule = ExpandScatter(only=frozenset({"mean"}))
    check_rewrite(rule, Call(FIRES["sum, own True"], **PLACES), X, Y, fires=0)
    check_rewrite(rule, Call(FIRES["mean, own True"], **PLACES), X, Y, fires=1)


def test_a_one_hot_that_is_too_large_is_not_made() -> None:
    rows = torch.randint(0, 4000, (4000,))
    net = Call(lambda s, x: x.index_add(0, s.rows, x * 2), rows=rows)
    check_rewrite(ExpandScatter(), net, torch.randn(4000, 1), refuses="16,000,000 numbers")


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    data=st.data(),
    how=st.sampled_from(["sum", "mean", "amax", "amin", "prod"]),
    own=st.booleans(),
)
def test_any_axis(sizes: list[int], data: st.DataObject, how: str, own: bool) -> None:
    axis = data.draw(st.integers(-len(sizes), len(sizes) - 1))
    wide = list(sizes)
    wide[axis] = data.draw(st.integers(1, 6))
    index = torch.randint(0, sizes[axis], wide)
    net = Call(
        lambda s, x, y: x.scatter_reduce(axis, s.index, y, how, include_self=own), index=index
    )
    check_rewrite(ExpandScatter(), net, torch.randn(sizes), torch.randn(wide), fires=1)
