"""One head at a time: the same integers, and nothing that is there for all heads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevit.integer.graph import IntegerGraph, Op, Value
from edgevit.integer.ops.moves import Slice
from edgevit.integer.ops.pointwise import Lookup
from edgevit.integer.ops.products import MatMul
from edgevit.integer.ops.softmax import Softmax
from edgevit.integer.rewrites.split_stacks import MOST, split_stacks
from edgevit.integer.simulate import outputs_of
from tests.integer.attention import attention


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 7), st.integers(1, 5), st.integers(1, 6), st.integers(0, 99))
def test_computes_the_same_integers(tokens: int, heads: int, depth: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = attention(rng, tokens, heads, depth)
    split = split_stacks(whole)
    x = rng.integers(-128, 128, (tokens, heads * depth), np.int8)
    assert np.array_equal(outputs_of(whole, (x,))[0], outputs_of(split, (x,))[0])


def test_weights_are_cut_and_nothing_is_moved() -> None:
    whole = attention(np.random.default_rng(0), tokens=6, heads=3, depth=4)
    split = split_stacks(whole)
    kinds = [op.kind for op in split.ops if op.kind != "reshape"]
    assert sorted(kinds) == sorted(3 * [*3 * ["linear"], *2 * ["matmul"], "softmax"] + ["concat", "linear"])  # fmt: skip
    assert max(op.output.size for op in split.ops) == 6 * 12
    assert split.macs() == whole.macs()
    # The softmax table, which all read, counts once.
    assert split.constant_bytes() <= whole.constant_bytes()


@pytest.mark.parametrize("heads", [1, MOST + 1])
def test_other_stacks_stay(heads: int) -> None:
    whole = attention(np.random.default_rng(0), tokens=2, heads=heads, depth=2)
    assert len(split_stacks(whole).ops) <= len(whole.ops)


def test_a_stack_below_a_thousand_steps() -> None:
    x = Value("x", (2, 3, 4))
    ops: list[Op] = []
    below = x
    for index in range(1200):
        table = np.random.default_rng(index).permutation(256).astype(np.uint8).view(np.int8)
        ops.append(Lookup((below,), replace(x, name=f"step{index}"), table, "any"))
        below = ops[-1].output
    ops += _shares(below)
    _same_when_split(IntegerGraph("deep", (x,), (), tuple(ops), (ops[-1].output,)).verify())


def test_a_slice_that_cannot_go_up_stays_where_it_is() -> None:
    """What it is cut from is an input: a part of the slice along another axis is a slice of that part."""
    x = Value("x", (2, 5, 4))
    rows = Slice((x,), Value("rows", (2, 3, 4)), 1, 1)
    graph = IntegerGraph("sliced", (x,), (), (rows, *(shares := _shares(rows.output))), (shares[-1].output,))  # fmt: skip
    _same_when_split(graph.verify())


def test_a_stack_without_scores_stays() -> None:
    """Linear attention: a softmax beyond another product is not its own."""
    x = Value("x", (2, 5, 4))
    square = _shares(x)[0]
    mixed = MatMul((square.output, x), Value("mixed", (2, 5, 4)), 2**26, 0, 0, turned=False)
    other = _shares(mixed.output, "other")
    graph = IntegerGraph("linear", (x,), (), (square, mixed, *other), (other[-1].output,))
    stacks = {op.name: op.output.shape[0] for op in split_stacks(graph.verify()).ops if op.kind == "matmul"}  # fmt: skip
    assert sorted(stacks.values()) == [1, 1, 2, 2] and stacks["square"] == stacks["mixed"] == 2


def _shares(x: Value, name: str = "square") -> tuple[MatMul, Softmax]:
    stack, rows, _ = x.shape
    scores = Value(name, (stack, rows, rows))
    table = np.rint(65535 * np.exp(-0.02 * np.arange(256))).astype(np.uint16)
    product = MatMul((x, x), scores, 2**26, 0, 0, turned=True)
    return product, Softmax((scores,), replace(scores, name=f"{name}.shares", zero=-128), table, 2**29, 20)  # fmt: skip


def _same_when_split(whole: IntegerGraph) -> None:
    split = split_stacks(whole)
    assert [op.output.shape[0] for op in split.ops if op.kind == "matmul"] == [1, 1]
    x = np.random.default_rng(0).integers(-128, 128, whole.inputs[0].shape, np.int8)
    assert np.array_equal(outputs_of(whole, (x,))[0], outputs_of(split, (x,))[0])
