"""Permutes that meet their opposite further down are gone, with what stood between them laid out anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgevit.graph.aten import kind
from edgevit.graph.cost import TRANSPOSES
from edgevit.graph.parity import distance
from edgevit.graph.program import Program, shape
from edgevit.rewrites.engine import apply
from edgevit.rewrites.layout.sink_permute import SinkPermute
from tests.rewrites.checking import Call, check_rewrite, kinds, program_for

X = torch.randn(2, 6, 5, 7)
LAST = (0, 2, 3, 1)
FIRST = (0, 3, 1, 2)


class Block(nn.Module):
    """As ConvNeXt has it: a norm and a small network at each place, in between two permutes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm = nn.LayerNorm(width)
        self.wide = nn.Linear(width, 3 * width)
        self.narrow = nn.Linear(3 * width, width, bias=False)
        self.scale = nn.Parameter(torch.rand(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.spread(x).permute(LAST))
        y = self.narrow(nn.functional.gelu(self.wide(y))) * self.scale
        return x + y.permute(FIRST)


def turns(program: Program) -> int:
    return sum(name in TRANSPOSES for name in kinds(program))


def test_a_block_that_works_at_each_place() -> None:
    after = check_rewrite(SinkPermute(), Block(6), X, fires=1)
    assert turns(after) == 0
    assert kinds(after).count("conv2d") == 3
    assert not {"linear", "layer_norm"} & set(kinds(after))


def test_a_stream_that_stays_permuted() -> None:
    """The permutes are far apart, and the stream splits and joins between them."""

    def function(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
        x = x.permute(LAST)
        for layer in (net.first, net.second):
            x = x + layer(x).relu()  # type: ignore[operator]
        return x.permute(FIRST) * 2

    net = Call(function)
    net.first, net.second = nn.Linear(6, 6), nn.Linear(6, 6)
    assert turns(check_rewrite(SinkPermute(), net, X, fires=1)) == 0


def test_two_values_permuted_alike() -> None:
    net = Call(lambda s, x, y: (x.permute(LAST) * y.permute(LAST)).sigmoid())
    assert turns(check_rewrite(SinkPermute(), net, X, torch.randn(2, 6, 1, 1), fires=1)) == 1


def test_a_gate_of_means() -> None:
    def function(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        y = x.permute(LAST)
        return (y * y.mean((1, 2), keepdim=True).sigmoid()).permute(FIRST) + 1

    assert turns(check_rewrite(SinkPermute(), Call(function), X, fires=1)) == 0


def test_parts_and_joins_along_an_axis() -> None:
    def function(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        gate, one, other = x.permute(LAST).split([3, 1, 2], -1)
        first, second = one.permute(FIRST).exp().permute(LAST).chunk(2, 0)
        joined = torch.cat([other, torch.cat([second, first])], -1)
        return (gate.softmax(-1) * joined[:, 1:2]).permute(FIRST) + 1

    after = check_rewrite(SinkPermute(), Call(function), X, fires=1)
    assert turns(after) == 0
    assert {"split_with_sizes", "chunk", "cat", "softmax", "slice"} <= set(kinds(after))


def test_a_mean_that_leaves_one_order_takes_the_permute_in() -> None:
    net = Call(lambda s, x: x.permute(LAST).relu().mean((1, 2)))
    after = check_rewrite(SinkPermute(), net, X, fires=1)
    assert kinds(after) == ["relu", "mean"]


def test_a_mean_that_leaves_another_order_does_not() -> None:
    net = Call(lambda s, x: x.permute(LAST).relu().mean(1) * 2)
    check_rewrite(SinkPermute(), net, X, fires=0, refuses="1 permutes are left of 1")


def test_permutes_in_a_row_are_one() -> None:
    net = Call(lambda s, x: x.permute(LAST).relu().transpose(1, 2) + 1)
    after = check_rewrite(SinkPermute(), net, X, fires=1)
    assert kinds(after).count("permute") == turns(after) == 1


def test_no_axis_is_too_long_for_the_engine() -> None:
    """Heads of windows and their mask: of one window's 12 heads, 19,200 scores in a row."""

    def function(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
        windows = x.reshape(4, 12, 40, 40).transpose(0, 1) + net.mask  # type: ignore[operator]
        return windows.transpose(0, 1).reshape(x.shape).softmax(-1)

    net = Call(function, mask=torch.randn(12, 1, 40, 40))
    after = check_rewrite(SinkPermute(), net, torch.randn(1, 48, 40, 40), fires=1)
    assert turns(after) == 0
    assert all(size <= 16384 for node in after.calls() for size in shape(node))


def test_tokens_are_computed_in_the_shape_of_the_image() -> None:
    def function(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        tokens = x.relu().flatten(2).transpose(1, 2).sigmoid()
        return tokens.transpose(1, 2).reshape(x.shape) * 2

    after = check_rewrite(SinkPermute(), Call(function), X, fires=1)
    assert kinds(after) == ["relu", "sigmoid", "mul"]


def test_what_is_left_is_of_four_axes() -> None:
    """The Neural Engine's values have four."""

    def function(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        return tokens.relu().transpose(1, 2).sigmoid().transpose(1, 2)

    after = check_rewrite(SinkPermute(), Call(function), X, fires=1)
    (left,) = (node for node in after.calls() if kind(node) in TRANSPOSES)
    assert shape(left) == (1, 2, 35, 6)


@pytest.mark.parametrize(
    "function",
    [
        lambda s, x: x.permute(LAST).relu() + 1,  # nothing turns it back
        lambda s, x: x.permute(LAST).relu().flatten(1, 2) + 1,
        lambda s, x: x.permute(LAST).roll(1, 1).permute(FIRST),  # not pushed through
        lambda s, x: x.permute(LAST) + torch.ones(3, 1, 1, 1, 1),  # of one axis more
        lambda s, x: x.permute(LAST).unbind(0)[1].permute(2, 0, 1),
    ],
    ids=["open", "reshape", "roll", "rank", "unbind"],
)
def test_what_gains_nothing_stays(function: Callable[..., torch.Tensor]) -> None:
    check_rewrite(SinkPermute(), Call(function), X, fires=0)


def test_others_that_read_a_value_get_it_permuted() -> None:
    def function(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        y = x.permute(LAST).relu()
        return (y * 2).permute(FIRST).mean() + y.exp().permute(FIRST).sum() + y.flatten().max()

    assert turns(check_rewrite(SinkPermute(), Call(function), X, fires=1)) == 1


STEPS: dict[str, Callable[[nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "gelu": lambda s, a, b: nn.functional.gelu(a),
    "linear": lambda s, a, b: s.mix(a),  # type: ignore[operator]
    "norm": lambda s, a, b: s.norm(a),  # type: ignore[operator]
    "add": lambda s, a, b: a + b,
    "maximum": lambda s, a, b: torch.maximum(a, b * 0.5),
    "scaled": lambda s, a, b: a * s.row - s.plane,  # type: ignore[operator]
    "gate": lambda s, a, b: a * b.amax(-1, keepdim=True).tanh(),
    "parts": lambda s, a, b: torch.cat([a.chunk(2, -1)[1], b[..., 1:3]], -1).softmax(2),
    "window": lambda s, a, b: a.flatten(1, 2).reshape(a.shape).roll(1, 1),
    "there and back": lambda s, a, b: a.permute(FIRST).relu().permute(LAST),
    "other way": lambda s, a, b: a.transpose(1, 2).exp().transpose(1, 2).clamp(max=3),
}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 9), st.integers(0, 9)), max_size=7
    )
)
def test_any_net_of_such_calls(steps: list[tuple[str, int, int]]) -> None:
    """Whatever it does to them, permutes do not become more, and the values stay."""

    def function(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
        found = [x.permute(LAST), net.stem(x).permute(LAST)]  # type: ignore[operator]
        for name, first, second in steps:
            found.append(STEPS[name](net, found[first % len(found)], found[second % len(found)]))
        return found[-1].permute(FIRST) + found[-2].mean((1, 2))[:, :, None, None]

    net = Call(function, row=torch.rand(4), plane=torch.rand(3, 1, 4))
    net.stem, net.mix, net.norm = nn.Conv2d(4, 4, 1), nn.Linear(4, 4), nn.LayerNorm(4)
    before = program_for(net, torch.randn(1, 4, 3, 3))
    after = apply(SinkPermute(), before)[0]
    assert turns(after) <= turns(before)
    found = distance(before.in_float64().run(), after.in_float64().run())
    assert found.rel_l2 <= SinkPermute.rtol
    assert not apply(SinkPermute(), after)[1]


def test_a_sum_of_numbers_alone() -> None:
    """Both operands have lost all axes: there is nothing to lay out."""
    net = Call(lambda s, x: x.permute(LAST).sigmoid().max() + x.mT.amin())
    check_rewrite(SinkPermute(), net, X[:1], fires=1)
