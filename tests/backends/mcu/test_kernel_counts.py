"""What kernels may cost at most, in instructions for a unit of work: counts are exact, so these are promises."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from edgevit.backends.mcu.cores import CORES
from edgevit.backends.mcu.kernels.table import card_of
from edgevit.backends.mcu.toolchain import toolchain
from tests import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

import kernel_shapes
from kernel_shapes import OTHERS, PRODUCTS
from sparse_kernels import block_of, sparse_shape

from kernels import figure_of

SHAPES = {shape.name: shape for shape in (*PRODUCTS, *OTHERS)}
MOST = {  # by operation: core -> instructions for a unit
    "linear 96 -> 288": {"m4": 0.78, "m55": 0.14, "rv32": 3.0},
    "linear 384 -> 96": {"m4": 0.74, "m55": 0.122, "rv32": 3.0},
    "matmul QK^T, K 32": {"m4": 0.95, "m55": 0.22},
    "softmax 196": {"m4": 18, "m55": 5},
    "norm 96": {"m4": 15, "m55": 2.8},
    "norm 96, gain and bias": {"m4": 15, "m55": 4.2},
    "add": {"m4": 7, "m55": 1.5},
    "lookup": {"m4": 4, "m55": 4},
    "depthwise 3x3, 48x48x16": {"m4": 2.5, "m55": 3.32 / 2},
    "conv2d 3x3, 8x8, 256 -> 256": {"m4": 0.74},  # sums of more than 24 bits
    "conv2d 3x3, 48x48, 16 -> 16": {"m4": 0.89, "m55": 0.38 / 1.5},
}
CASES = [(name, core, most) for name, limits in MOST.items() for core, most in limits.items()]


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["zig", "gcc"])
@pytest.mark.parametrize(("name", "core", "most"), CASES)
def test_a_kernel_keeps_its_promise(name: str, core: str, most: float, tool: str) -> None:
    assert figure_of(SHAPES[name], CORES[core], toolchain(tool)).instructions <= most


def test_fewer_instructions_are_fewer_cycles() -> None:
    """Of the DSP linear, against the plain one on the same core."""
    fast = figure_of(SHAPES["linear 96 -> 288"], CORES["m4"], toolchain("zig"))
    assert fast.kernel == "ev_linear_s8_dsp"
    assert fast.cycles is not None and fast.cycles < 1.2


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["zig", "gcc"])
@pytest.mark.parametrize(
    ("depth", "columns", "core", "most"),
    [
        (384, 96, "m4", 0.49),
        (96, 288, "m4", 0.52),
        (384, 96, "m55", 0.09),
        (96, 288, "m55", 0.13),
    ],
)
def test_half_of_the_blocks_zero_takes_fewer_instructions_than_dense(
    depth: int, columns: int, core: str, most: float, tool: str
) -> None:
    """The dense kernel takes 0.73, 0.78, 0.125 and 0.149 a product, and as many with zeros."""
    half = sparse_shape(depth, columns, block_of(CORES[core]), 0.5)
    figure = figure_of(half, CORES[core], toolchain(tool))
    dense = figure_of(SHAPES[f"linear {depth} -> {columns}"], CORES[core], toolchain(tool))
    assert "_sparse_" in figure.kernel and "_sparse_" not in dense.kernel
    assert figure.instructions <= most < dense.instructions


@pytest.mark.parametrize("core", ["m4", "m55"])
def test_few_zeros_stay_dense(core: str) -> None:
    shape = sparse_shape(96, 288, block_of(CORES[core]), 0.1)
    card = card_of(shape.make(np.random.default_rng(0)), CORES[core])
    assert card is not None and "_sparse_" not in card.function


@pytest.mark.parametrize("core", ["m4", "m55"])
def test_a_row_alone_takes_fewer_too(core: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_shapes, "TOKENS", 1)
    dense, half = (
        figure_of(
            sparse_shape(96, 288, block_of(CORES[core]), zeros), CORES[core], toolchain("zig")
        )
        for zeros in (0.0, 0.5)
    )
    assert "_sparse_" in half.kernel and half.instructions < 0.8 * dense.instructions
