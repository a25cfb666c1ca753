"""Every kernel of every family equals its Python definition: on all cores, by all compilers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgevit.backends.mcu.cores import CORES
from edgevit.backends.mcu.schedule.simple import simple_plan
from edgevit.graph.window import Window
from edgevit.integer.graph import Value
from edgevit.integer.ops.products import Linear
from tests.backends.mcu.cases import MAKERS, average_pool, depthwise, graph_of, sparse_linear
from tests.backends.mcu.on_cores import BUILDS, USUAL_BUILDS, check_on_core, programs_of

_EACH = 12


@pytest.mark.slow
@pytest.mark.parametrize(
    ("core", "tool"),
    [
        pytest.param(*build, marks=() if build in USUAL_BUILDS else pytest.mark.long)
        for build in BUILDS
    ],
)
def test_equals_the_definition(core: str, tool: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    singles = [make(rng) for make in MAKERS.values() for _ in range(_EACH)]
    # sizes that fill blocks of rows, columns and vectors, and leave something over
    singles += [MAKERS["linear"](rng, rows, depth, 18) for rows in (3, 4, 13) for depth in (16, 52, 96, 99, 100, 112, 128, 144, 256)]  # fmt: skip
    singles += [
        MAKERS["conv2d"](rng, Value("x", (2, 9, 16)), Window((1, wide)), 6) for wide in (3, 9)
    ]
    singles += [MAKERS["matmul"](rng, 2, 5, 33, 18, turned) for turned in (True, False)]
    singles += [depthwise(rng, wide, window, dtype) for wide, window, dtype in _depthwise_cases()]
    plans = [simple_plan(graph_of(op), CORES[core], wide=i % 2 == 0) for i, (op, _) in enumerate(singles)]  # fmt: skip
    check_on_core(programs_of(plans, [inputs for _, inputs in singles]), core, tool, tmp_path)


def _depthwise_cases() -> list[tuple[Value, Window, str]]:
    """Return images of every width up to two strips with windows of 3x3, and windows of one tap."""
    square, tap = Window((3, 3), padding=(1, 1, 1, 1)), Window((1, 1))
    sizes = [(3 + width % 3, width, 3 + width % 4) for width in (*range(1, 20), 33)]
    below = Window((1, 1), padding=(0, 0, 1, 0))
    cases = [(Value("x", size), square, "int8") for size in sizes]
    cases += [(Value("x", size), square, "int16") for size in sizes[::2]]
    cases += [(Value("x", (4, 7, 3)), window, "int8") for window in (tap, below)]
    return [*cases, (Value("x", (4, 7, 5)), tap, "int16")]


def test_sums_beyond_24_bits_keep_the_fast_kernels(tmp_path: Path) -> None:
    """A sum of a second column is taken out of the words before it wraps around."""
    rng = np.random.default_rng(11)
    window = Window((3, 3), padding=(1, 1, 1, 1))
    convolution, inputs = MAKERS["conv2d"](rng, Value("x", (3, 4, 230)), window, 6)
    largest = rng.choice(np.array([-127, 127], np.int8), convolution.weight.shape)
    lowest = np.where(convolution.weight < -120, -128, convolution.weight).astype(np.int8)
    linear, (x,) = MAKERS["deep_linear"](rng)
    of_one = [
        replace(value, shape=(1, *value.shape[1:])) for value in (linear.source, linear.output)
    ]
    singles = [
        (linear, (x,)),
        (replace(linear, inputs=(of_one[0],), output=of_one[1]), (x[:1],)),
        (replace(convolution, weight=largest), inputs),
        (replace(convolution, weight=lowest), inputs),  # 16 bits do not hold two weights of these
    ]
    plans = [simple_plan(graph_of(op), CORES["m4"], wide=True) for op, _ in singles]
    functions = [card.function for plan in plans for card in plan.cards.values()]
    linears = ["ev_linear_deep_s8_dsp", "ev_linear_deep_row_s8_dsp"]
    assert functions == [*linears, "ev_conv2d_deep_s8_dsp", "ev_conv2d_s8"]
    check_on_core(programs_of(plans, [inputs for _, inputs in singles]), "m4", "gcc", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("core", ["m4", "m55"])
def test_calls_keep_the_preconditions(core: str, tmp_path: Path) -> None:
    """A failed assertion is a fault. Portable kernels assert in every test on the host."""
    rng = np.random.default_rng(9)
    singles = [make(rng) for make in MAKERS.values() for _ in range(4)]
    plans = [simple_plan(graph_of(op), CORES[core], wide=i % 2 == 0) for i, (op, _) in enumerate(singles)]  # fmt: skip
    cases = programs_of(plans, [inputs for _, inputs in singles])
    check_on_core(cases, core, "zig", tmp_path, debug=True)


def test_an_average_of_more_columns_than_16_bits_hold(tmp_path: Path) -> None:
    """The vector kernel sums whole rows in lanes of 16 bits; another kernel takes wider windows."""
    x = Value("x", (1, 300, 20), "int8", 1.0, 0)
    op, inputs = average_pool(np.random.default_rng(10), x, Window((1, 300)))
    plan = simple_plan(graph_of(op), CORES["m55"])
    check_on_core(programs_of([plan], [inputs]), "m55", "zig", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("core", ["m3", "m4", "m7", "m33", "rv32"])
def test_both_emulators_count_the_same(core: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    singles = [make(rng) for make in MAKERS.values()]
    plans = [simple_plan(graph_of(op), CORES[core]) for op, _ in singles]
    cases = programs_of(plans, [inputs for _, inputs in singles])
    counts = []
    for machine in ("unicorn", "qemu"):
        folder = tmp_path / machine
        folder.mkdir()
        counts.append(check_on_core(cases, core, "zig", folder, machine).instructions)
    assert counts[0] == counts[1]


@pytest.mark.parametrize("core", ["m3", "m4", "m55"])
def test_blocks_of_zeros_are_skipped(core: str, tmp_path: Path) -> None:
    """Sizes that are no multiples of a block, a group of columns that is all zero, an odd count of rows."""
    rng = np.random.default_rng(12)
    sizes = [(1, 96, 8), (2, 150, 10), (5, 67, 7), (4, 64, 4)]
    singles = [sparse_linear(rng, *size, block=16) for size in sizes]
    zero, inputs = singles[1]
    assert isinstance(zero, Linear)
    singles.append((replace(zero, weight=np.zeros_like(zero.weight)), inputs))
    plans = [simple_plan(graph_of(op), CORES[core]) for op, _ in singles]
    assert all("_sparse_" in card.function for plan in plans for card in plan.cards.values())
    cases = programs_of(plans, [inputs for _, inputs in singles])
    for debug in (False, True):
        check_on_core(cases, core, "zig", tmp_path, debug=debug)


@pytest.mark.parametrize("what", ["sums beyond 24 bits", "a half that no 16 bits hold"])
def test_weights_that_words_cannot_hold_are_not_for_the_sparse_dsp_kernel(
    what: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(13)
    op, inputs = sparse_linear(rng, 3, 1700, 4, block=4)
    assert isinstance(op, Linear)
    weight = np.where(op.weight == 0, 0, 127).astype(np.int8)
    weight[:, :560] = 127
    if what == "a half that no 16 bits hold":
        op, inputs = sparse_linear(rng, 3, 64, 4, block=4)
        assert isinstance(op, Linear)
        weight = np.where(op.weight == 0, 0, -128).astype(np.int8)
    plan = simple_plan(graph_of(replace(op, weight=weight)), CORES["m4"])
    assert "ev_linear_sparse_s8_dsp" not in [card.function for card in plan.cards.values()]
    check_on_core(programs_of([plan], [inputs]), "m4", "zig", tmp_path)
