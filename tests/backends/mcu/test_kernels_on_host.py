"""Every portable kernel equals its Python definition, and stays inside its buffers, on the host with sanitizers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from edgevit.integer.graph import Value
from edgevit.integer.ops.moves import Permute, Slice
from tests.backends.mcu.cases import MAKERS, graph_of, integers
from tests.backends.mcu.host import check_on_host


@pytest.mark.parametrize("kind", MAKERS)
# A seed says nothing when it is smaller: no shrinking.
@settings(max_examples=1, deadline=None, phases=[Phase.generate])
@given(seed=st.integers(0, 2**32 - 1))
def test_equals_the_definition(kind: str, folder: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = [MAKERS[kind](rng) for _ in range(25)]
    check_on_host([(graph_of(op), inputs) for op, inputs in made], folder)


def test_an_axis_longer_than_a_field(folder: Path) -> None:
    """It is moved in pieces: a size of 16 bits would wrap around."""
    rng = np.random.default_rng(0)
    x = Value("x", (70_001, 3))
    turned = Permute((x,), Value("y", (3, 70_001)), (1, 0))
    rows = Slice((x,), Value("y", (70_001, 2)), 1, 1)
    check_on_host([(graph_of(op), (integers(rng, x.shape),)) for op in (turned, rows)], folder)
