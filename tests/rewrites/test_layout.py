"""Where values lie: views of memory against what torch makes of the same calls."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevit.rewrites.layout.sink_permute.axis_layout import (
    AxisLayout,
    common_parts,
    laid_in,
    order_in,
    plain,
    runs,
)


def seen(memory: torch.Tensor, layout: AxisLayout) -> torch.Tensor:
    """The value that a stretch of memory holds."""
    turn = [f for axis in layout.axes for f in axis]
    return memory.reshape(layout.sizes).permute(turn).reshape(layout.shape)


SHAPES = st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=4)


@settings(max_examples=200, deadline=None)
@given(SHAPES, st.lists(st.tuples(st.booleans(), st.randoms(use_true_random=False)), max_size=5))
def test_views_touch_no_memory(shape: list[int], steps: list[tuple[bool, object]]) -> None:
    layout, expected = plain(shape), torch.arange(torch.Size(shape).numel()).reshape(shape)
    memory = expected.flatten()
    for turns, random in steps:
        axes = list(range(expected.ndim))
        if turns:
            random.shuffle(axes)  # type: ignore[attr-defined]
            layout, expected = layout.permuted(axes), expected.permute(axes)
        else:
            sizes = [
                n for size in expected.shape for n in ([2, size // 2] if size % 2 == 0 else [size])
            ]
            random.shuffle(sizes)  # type: ignore[attr-defined]
            found = layout.reshaped(sizes)
            if found is None:
                continue
            layout, expected = found, expected.reshape(sizes)
        assert torch.equal(seen(memory, layout), expected)
        assert torch.equal(seen(memory, layout.merged()), expected)


def test_a_reshape_that_cuts_unevenly_is_none() -> None:
    assert plain([2, 3]).permuted([1, 0]).reshaped([2, 3]) is None
    assert plain([2, 3]).reshaped([3, 2]) is None
    assert plain([4, 3]).reshaped([2, 6]) == AxisLayout((2, 2, 3), ((0,), (1, 2)))


def test_tokens_of_an_image_are_not_plain() -> None:
    tokens = plain([1, 5, 2, 3]).reshaped([1, 5, 6])
    assert tokens is not None
    turned = tokens.permuted([0, 2, 1])
    assert (turned.shape, turned.is_plain, tokens.is_plain) == ((1, 6, 5), False, True)


def test_parts_that_two_values_share() -> None:
    windows = plain([5, 2, 3]).permuted([1, 2, 0]).reshaped([6, 5])
    assert windows is not None
    parts = common_parts([windows, plain([6, 1])], (6, 5))
    assert parts == ((2, 3), (5,))
    assert order_in(windows, parts) == (2, 0, 1)
    assert order_in(plain([6, 1]), parts) == (0, 1)
    assert laid_in((2, 0, 1), parts) == AxisLayout((5, 6), ((1,), (0,)))


def test_which_parts_an_axis_is() -> None:
    assert runs([0, 1, 2], [2, 3, 4], (1, 6, 4)) == [[], [0, 1], [2]]
    assert runs([0, 1, 2], [2, 3, 4], (3, 8)) is None


def test_an_axis_of_another_size() -> None:
    layout = plain([2, 3, 4]).permuted([2, 0, 1])
    assert layout.resized([2], 0, 7) == AxisLayout((2, 3, 7), ((2,), (0,), (1,)))
    assert layout.resized([0], 1, 1) == AxisLayout((3, 4), ((1,), (), (0,)))
