"""The readable form of integer graphs, held against what a reviewer has read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgevit.integer.rewrites.split_stacks import split_stacks
from edgevit.integer.text import integer_text
from tests.integer.attention import attention

Golden = Callable[[str, str], None]


def test_attention(golden: Golden) -> None:
    graph = attention(np.random.default_rng(0), tokens=6, heads=2, depth=4)
    golden("attention", integer_text(graph))


def test_attention_one_head_at_a_time(golden: Golden) -> None:
    graph = split_stacks(attention(np.random.default_rng(0), tokens=6, heads=2, depth=4))
    golden("attention_split", integer_text(graph))
