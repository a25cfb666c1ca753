"""What linears with blocks of zeros cost beside dense ones, and from which share of zeros on they are quicker.

Each is compiled and run alone on an emulated core, as by `benchmarks/kernels.py`, and is the integer operation bit for
bit. `python benchmarks/sparse_kernels.py` prints the table of docs/firmware.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from kernel_shapes import Rng, Shape, linear

from edgevit.backends.mcu.cores import CORES, Core
from edgevit.backends.mcu.kernels.sparse import DEPTH, DEPTH_MVE
from edgevit.backends.mcu.toolchain import toolchain
from edgevit.integer.ops.products import Linear
from kernels import figure_of

SIZES = ((96, 288), (384, 96))
ZEROS = (0.0, 0.25, 0.5, 0.75)


def sparse_shape(depth: int, columns: int, block: int, zeros: float) -> Shape:
    """Return a linear of which that share of the blocks of 4 columns x `block` inputs is zero."""

    def make(rng: Rng) -> Linear:
        op = linear(rng, depth, columns)
        assert isinstance(op, Linear)
        blocks = op.weight.reshape(columns // 4, 4, depth // block, block).copy()
        order = rng.permutation(columns // 4 * (depth // block))
        zero = order.reshape(columns // 4, 1, depth // block, 1) < round(zeros * len(order))
        return replace(op, weight=np.where(zero, np.int8(0), blocks).reshape(columns, depth))

    return Shape(f"linear {depth} -> {columns}, {zeros:.0%} zero", make, "MAC")


def block_of(core: Core) -> int:
    return DEPTH_MVE if "mve" in core.families else DEPTH


def page(cores: list[Core], tool: str) -> Iterator[str]:
    yield "| core | linear | block | " + " | ".join(f"{zeros:.0%} zero" for zeros in ZEROS) + " |"
    yield "|---|---|---|" + "--:|" * len(ZEROS)
    for core in cores:
        block = block_of(core)
        for depth, columns in SIZES:
            cells = [
                _cell(sparse_shape(depth, columns, block, zeros), core, tool) for zeros in ZEROS
            ]
            yield f"| {core.title} | {depth} -> {columns} | 4x{block} | {' | '.join(cells)} |"


def _cell(shape: Shape, core: Core, tool: str) -> str:
    figure = figure_of(shape, core, toolchain(tool))
    cycles = "" if figure.cycles is None else f" ({figure.cycles:.2f})"
    mark = "*" if "_sparse_" in figure.kernel else ""
    return f"{figure.instructions:.3f}{cycles}{mark}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cores", default=",".join(CORES), help="names, with commas between")
    parser.add_argument("--toolchain", default="zig")
    words = parser.parse_args()
    print("\n".join(page([CORES[name] for name in words.cores.split(",")], words.toolchain)))


if __name__ == "__main__":
    main()
