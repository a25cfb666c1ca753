"""Sorts as lists of the largest numbers."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevit.rewrites.arithmetic.expand_sort import ExpandSort
from tests.rewrites.checking import Call, check_rewrite, kinds

WAYS = {
    "values": lambda x, *how: x.sort(*how)[0],
    "places": lambda x, *how: x.sort(*how)[1],
    "both": lambda x, *how: torch.cat(x.sort(*how)),
    "argsort": lambda x, *how: x.argsort(*how),
}


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.booleans(),
    st.booleans(),
    st.sampled_from(sorted(WAYS)),
    st.data(),
)
def test_any_axis_either_way(
    size: list[int], whole: bool, descending: bool, way: str, data: st.DataObject
) -> None:
    axis = data.draw(st.integers(-len(size), len(size) - 1))
    count = torch.Size(size).numel()
    x = torch.randperm(count).reshape(size)  # no two are equal
    x = x - 3 if whole else x / 7
    net = Call(lambda s, x: WAYS[way](x, axis, descending))
    after = check_rewrite(ExpandSort(), net, x, fires=2 if way == "both" else 1)
    assert "topk" in kinds(after)


def test_an_order_that_equal_numbers_must_keep_is_refused() -> None:
    net = Call(lambda s, x: x.argsort(dim=1, stable=True))
    check_rewrite(ExpandSort(), net, torch.randn(2, 5), refuses="stay in their order")
