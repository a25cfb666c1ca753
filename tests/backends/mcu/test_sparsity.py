"""What an export says of blocks of zeros, and what it stores of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgevit.backends.mcu.codegen.emit import emit
from edgevit.backends.mcu.cores import CORES
from edgevit.backends.mcu.memory_fit import need_of
from edgevit.backends.mcu.schedule.simple import simple_plan
from edgevit.backends.mcu.sparsity import bytes_saved, sparsity_note
from edgevit.integer.ops.products import Linear
from tests.backends.mcu.cases import graph_of, linear


def _linear(zeros: float) -> Linear:
    """Of 64 x 64, that share of the 4x16 blocks zero."""
    rng = np.random.default_rng(3)
    op, _ = linear(rng, 2, 64, 64)
    assert isinstance(op, Linear)
    mask = rng.permutation(64).reshape(16, 4) >= round(zeros * 64)
    return replace(op, weight=np.maximum(op.weight, -127) * mask.repeat(4, 0).repeat(16, 1))


@pytest.mark.parametrize(("core", "index"), [("m3", 2 * 128 + 2 * 16), ("m4", 2 * 128), ("m55", 2 * 32)])  # fmt: skip
def test_zero_blocks_are_not_in_flash(core: str, index: int) -> None:
    graph = graph_of(_linear(0.5))
    plan = simple_plan(graph, CORES[core])
    saved = bytes_saved(graph, plan.cards)
    assert saved == pytest.approx(
        64 * 64 / 2 - index, abs=160
    )  # a group that is all zero stores a block
    assert need_of(graph, plan).constants == graph.constant_bytes() - saved
    stored, dense = (
        emit(simple_plan(graph_of(_linear(zeros)), CORES[core]), "net", apart=True).weights
        for zeros in (0.5, 0)
    )
    assert len(dense) - len(stored) == pytest.approx(saved, abs=48)  # arrays are aligned
    assert sparsity_note(graph, plan.cards) == f"1 linear skips blocks of zeros, which saves {saved:,} bytes of flash"  # fmt: skip


def test_a_dense_kernel_that_is_quicker_is_named() -> None:
    few = graph_of(_linear(0.12))
    note = sparsity_note(few, simple_plan(few, CORES["m55"]).cards)
    assert note == "dense all the same, as no sparse kernel is quicker: y 12%"
    none = graph_of(_linear(0))
    assert sparsity_note(none, simple_plan(none, CORES["m55"]).cards) == ""
