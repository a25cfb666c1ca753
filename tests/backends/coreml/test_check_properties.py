"""Index arithmetic against numpy, and pooling against a window-by-window sum, on random cases."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from edgevit.backends.coreml.check.ops import image_resizing, pool, table
from edgevit.backends.coreml.check.ops.arguments import Arguments, Result
from edgevit.backends.coreml.check.ops.tensor_transformation import (
    bounds,
    resolved_shape,
    slice_by_index,
)
from edgevit.backends.coreml.check.program import Value
from edgevit.errors import InternalError

quick = settings(max_examples=60, deadline=None)


def arguments(**values: object) -> Arguments:
    held: dict[str, Value] = {}
    for name, value in values.items():
        held[name] = value if isinstance(value, Tensor | str) else torch.tensor(value)
    return Arguments(held, (), 8)


def one(result: Result) -> Tensor:
    assert isinstance(result, Tensor)
    return result


axis_slice = st.tuples(
    st.integers(1, 6),
    st.integers(-8, 8),
    st.integers(-8, 8),
    st.sampled_from([-3, -2, -1, 1, 2, 3]),
    st.booleans(),
    st.booleans(),
)


@quick
@given(st.lists(axis_slice, min_size=1, max_size=3))
def test_slice_by_index(axes: list[tuple[int, int, int, int, bool, bool]]) -> None:
    shape, begin, end, stride, begin_mask, end_mask = (
        list(column) for column in zip(*axes, strict=True)
    )
    x = torch.arange(int(np.prod(shape))).reshape(shape)
    a = arguments(
        x=x, begin=begin, end=end, stride=stride, begin_mask=begin_mask, end_mask=end_mask
    )
    index = tuple(
        slice(None if bm else b, None if em else e, s)
        for b, e, s, bm, em in zip(begin, end, stride, begin_mask, end_mask, strict=True)
    )
    np.testing.assert_array_equal(one(slice_by_index(a)).numpy(), x.numpy()[index])
    spans = [list(range(*span)) for span in bounds(a, x)]
    np.testing.assert_array_equal(x.numpy()[np.ix_(*spans)], x.numpy()[index])


@quick
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.data())
def test_slice_squeezes(shape: list[int], data: st.DataObject) -> None:
    x = torch.arange(int(np.prod(shape))).reshape(shape)
    at = [data.draw(st.integers(-n, n - 1)) for n in shape]
    single = [data.draw(st.booleans()) for _ in shape]
    a = arguments(
        x=x, begin=at, end=[0] * len(shape), squeeze_mask=single, end_mask=[not s for s in single]
    )
    index = tuple(n if s else slice(n, None) for n, s in zip(at, single, strict=True))
    np.testing.assert_array_equal(one(slice_by_index(a)).numpy(), x.numpy()[index])


@quick
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.data())
def test_reshape_keeps_the_count(shape: list[int], data: st.DataObject) -> None:
    """Zeros inherit from the right, one -1 takes what is left."""
    kept = data.draw(st.integers(0, len(shape)))
    target = [-1] + [data.draw(st.sampled_from([0, n])) for n in shape[len(shape) - kept :]]
    resolved = resolved_shape(shape, target)
    assert resolved[1:] == shape[len(shape) - kept :]
    assert np.prod(resolved) == np.prod(shape)


def test_reshape_zero_beyond_the_rank_is_one() -> None:
    assert resolved_shape([2, 50], [1, 0, -1, 0]) == [1, 1, 2, 50]


pool_axis = st.tuples(
    st.integers(1, 9), st.integers(1, 4), st.integers(1, 3), st.integers(0, 3), st.integers(0, 3)
)


@quick
@given(pool_axis, st.booleans(), st.booleans())
def test_pools(axis: tuple[int, int, int, int, int], ceil_mode: bool, exclude: bool) -> None:
    size, kernel, stride, before, after = axis
    after = before if ceil_mode else after
    assume(size + before + after >= kernel and max(before, after) < kernel)
    x = torch.linspace(-1, 2, size).reshape(1, 1, size)
    a = arguments(
        x=x,
        kernel_sizes=[kernel],
        strides=[stride],
        pad_type="custom",
        pad=[before, after],
        ceil_mode=ceil_mode,
        exclude_padding_from_average=exclude,
    )
    windows = windows_of(size, kernel, stride, before, after, ceil_mode)
    real = [[i for i in w if 0 <= i < size] for w in windows]
    assume(all(real))
    counted = real if exclude else [[i for i in w if -before <= i < size + after] for w in windows]
    means = [sum(float(x[0, 0, i]) for i in r) / len(c) for r, c in zip(real, counted, strict=True)]
    assert one(pool.avg_pool(a)).flatten().tolist() == pytest.approx(means, abs=1e-6)
    highest = [max(float(x[0, 0, i]) for i in r) for r in real]
    assert one(pool.max_pool(a)).flatten().tolist() == pytest.approx(highest)


def windows_of(
    size: int, kernel: int, stride: int, before: int, after: int, ceil_mode: bool
) -> list[range]:
    """Window positions by the operation's documented output size."""
    steps = (size + before + after - kernel) / stride
    count = (ceil(steps) if ceil_mode else int(steps)) + 1
    if ceil_mode and (count - 1) * stride >= size + before:
        count -= 1
    return [range(i * stride - before, i * stride - before + kernel) for i in range(count)]


@quick
@given(
    st.integers(1, 7),
    st.integers(1, 9),
    st.sampled_from(["UNALIGN_CORNERS", "STRICT_ALIGN_CORNERS"]),
)
def test_bilinear_is_torch_where_torch_has_it(size: int, out: int, mode: str) -> None:
    x = torch.linspace(-1, 1, size * 3).reshape(1, 1, size, 3).square()
    align = mode == "STRICT_ALIGN_CORNERS"
    wanted = torch.nn.functional.interpolate(x, size=(out, 3), mode="bilinear", align_corners=align)
    torch.testing.assert_close(
        image_resizing.bilinear(x, out, 3, mode), wanted, rtol=1e-5, atol=1e-6
    )


def test_an_operation_defined_twice_is_our_bug() -> None:
    with pytest.raises(InternalError, match="`conv` is defined twice"):
        table.merged({"conv": table.TABLE["conv"]}, {"conv": table.TABLE["conv"]})
