"""Linear ATen calls as forms over their own input: one function an operator, one table.

Channels are on axis 1 with the spatial axes behind them (`FIRST`: convolutions, pools), or on the last
axis with everything before it alike (`LAST`: linears, layer scales of token nets).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod

import torch
from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, kind, operand, per_dimension
from edgevit.graph.edit import Draft
from edgevit.graph.program import shape
from edgevit.rewrites.convolutions.collapse_linear.form import (
    Extents,
    LinearForm,
    identity,
    scaled,
    shifted,
)
from edgevit.rewrites.convolutions.padding import padding_of

FIRST, LAST = "channels first", "channels last"
StepReader = Callable[[Node, Draft, str], LinearForm | None]


def channels(size: Extents, layout: str) -> int:
    return size[1] if layout == FIRST else size[-1]


def spatial(size: Extents, layout: str) -> Extents:
    return size[2:] if layout == FIRST else ()


def layouts(size: Extents) -> tuple[str, ...]:
    if len(size) < 2:
        return ()
    return (FIRST, LAST) if len(size) > 2 else (LAST,)


def linear_input(node: Node) -> Node | None:
    """Return the one tensor the call is linear in (for an addition of two values, see `sum_of`)."""
    name = kind(node)
    if name in {"mul", "div", "add", "sub"}:
        tensors = [a for a in node.args[:2] if isinstance(a, Node) and a.op != "get_attr"]
        return tensors[0] if len(tensors) == 1 else None
    if name not in STEPS:
        return None
    source = node.args[0]
    return source if isinstance(source, Node) else None


def sum_of(node: Node) -> tuple[Node, Node, float] | None:
    """Match `a + factor * b` of two values of the same shape."""
    if kind(node) not in {"add", "sub"}:
        return None
    a, b = node.args[:2]
    if (
        not (isinstance(a, Node) and isinstance(b, Node))
        or shape(a) != shape(b)
        or shape(a) != shape(node)
    ):
        return None
    alpha = argument(node, "alpha")
    return a, b, float(-alpha if kind(node) == "sub" else alpha)


def step_of(node: Node, draft: Draft, layout: str) -> LinearForm | None:
    """Return the call as a form over `linear_input(node)`, or None where it is not linear
    after all.
    """
    return STEPS[kind(node)](node, draft, layout)


def _convolution(node: Node, draft: Draft, layout: str) -> LinearForm | None:
    weight, bias = argument(node, "weight"), argument(node, "bias")
    if (
        layout != FIRST
        or not draft.is_constant(weight)
        or not (bias is None or draft.is_constant(bias))
    ):
        return None
    source = shape(operand(node))
    kernel = draft.tensor(weight)
    dims = kernel.ndim - 2
    if len(source) != kernel.ndim:
        return None
    dilation = per_dimension(argument(node, "dilation"), dims)
    taps = tuple(
        tuple(k * d - before for k in range(extent))
        for extent, d, (before, _) in zip(kernel.shape[2:], dilation, padding_of(node), strict=True)
    )
    outs = kernel.shape[0]
    offset = torch.zeros(outs, dtype=torch.float64) if bias is None else draft.tensor(bias).double()
    return LinearForm(source[2:], source[1], outs, shape(node)[2:], per_dimension(argument(node, "stride"), dims), taps,
                argument(node, "groups"), cache(lambda: _taps_first(kernel)), offset)  # fmt: skip


def _taps_first(weight: torch.Tensor) -> torch.Tensor:
    return weight.permute(*range(2, weight.ndim), 0, 1).contiguous().double()


def _linear(node: Node, draft: Draft, layout: str) -> LinearForm | None:
    weight, bias = argument(node, "weight"), argument(node, "bias")
    if (
        layout != LAST
        or not draft.is_constant(weight)
        or not (bias is None or draft.is_constant(bias))
    ):
        return None
    kernel = draft.tensor(weight)
    offset = (
        torch.zeros(kernel.shape[0], dtype=torch.float64)
        if bias is None
        else draft.tensor(bias).double()
    )
    return LinearForm((), kernel.shape[1], kernel.shape[0], (), (), (), 1, kernel.double, offset)


def _batch_norm(node: Node, draft: Draft, layout: str) -> LinearForm | None:
    size = shape(node)
    if argument(node, "training") or layout != (FIRST if len(size) > 2 else LAST):
        return None
    parts = [argument(node, name) for name in ("weight", "bias", "running_mean", "running_var")]
    if any(part is not None and not draft.is_constant(part) for part in parts) or None in parts[2:]:
        return None
    gamma, beta, mean, variance = (
        None if part is None else draft.tensor(part).double() for part in parts
    )
    assert mean is not None and variance is not None
    factor = torch.rsqrt(variance + argument(node, "eps"))
    if gamma is not None:
        factor = factor * gamma
    offset = -mean * factor if beta is None else beta - mean * factor
    return shifted(scaled(_same(node, layout), factor), offset)


def _average_pool(node: Node, draft: Draft, layout: str) -> LinearForm | None:
    size, source = shape(node), shape(operand(node))
    if layout != FIRST or len(size) != len(source):
        return None
    dims = len(size) - 2
    window = per_dimension(argument(node, "kernel_size"), dims)
    pad = per_dimension(argument(node, "padding"), dims)
    stride = per_dimension(argument(node, "stride") or window, dims)
    divisor = _constant_divisor(node, source[2:], size[2:], window, pad, stride)
    if divisor is None:
        return None
    taps = tuple(tuple(k - p for k in range(extent)) for extent, p in zip(window, pad, strict=True))
    kernel = torch.full((*window, size[1], 1), 1.0 / divisor, dtype=torch.float64)
    return LinearForm(source[2:], size[1], size[1], size[2:], stride, taps, size[1], lambda: kernel,
                torch.zeros(size[1], dtype=torch.float64))  # fmt: skip


def _constant_divisor(
    node: Node, source: Extents, size: Extents, window: Extents, pad: Extents, stride: Extents
) -> int | None:
    """Return the divisor of every window, or None when windows at the border are divided by
    less.
    """
    override = argument(node, "divisor_override") if len(size) == 2 else None
    if override is not None:
        return override
    if any(pad) and not argument(node, "count_include_pad"):
        return None
    last = [(n - 1) * s - p + w for n, s, p, w in zip(size, stride, pad, window, strict=True)]
    if any(end > n + p for end, n, p in zip(last, source, pad, strict=True)):
        return None  # ceil_mode: the last window hangs over the padding and counts less
    return prod(window)


def _pad(node: Node, draft: Draft, layout: str) -> LinearForm | None:
    mode = argument(node, "mode") if has_argument(node, "mode") else "constant"
    if layout != FIRST or mode != "constant" or argument(node, "value") not in (None, 0):
        return None
    source, size = shape(operand(node)), shape(node)
    amounts: list[int] = list(argument(node, "pad"))
    dims = len(size) - 2
    if len(amounts) > 2 * dims:
        return None
    before = tuple(reversed([*amounts[::2], *[0] * (dims - len(amounts) // 2)]))
    form = identity(size[1], size[2:])
    return LinearForm(source[2:], size[1], size[1], size[2:], form.stride, tuple((-p,) for p in before), size[1],
                form.kernel, form.bias)  # fmt: skip


def _same(node: Node, layout: str) -> LinearForm:
    size = shape(node)
    return identity(channels(size, layout), spatial(size, layout))


def _pass_through(node: Node, draft: Draft, layout: str) -> LinearForm | None:
    return _same(node, layout)


def _negate(node: Node, draft: Draft, layout: str) -> LinearForm | None:
    form = _same(node, layout)
    return scaled(form, torch.full((form.outs,), -1.0, dtype=torch.float64))


def _multiply(node: Node, draft: Draft, layout: str) -> LinearForm | None:
    factor = _levels(node, draft, layout)
    if factor is None or (
        kind(node) == "div"
        and (node.args[0] is not linear_input(node) or "rounding_mode" in node.kwargs)
    ):
        return None
    return scaled(_same(node, layout), 1 / factor if kind(node) == "div" else factor)


def _add(node: Node, draft: Draft, layout: str) -> LinearForm | None:
    offset = _levels(node, draft, layout)
    if offset is None:
        return None
    alpha, form = float(argument(node, "alpha")), _same(node, layout)
    sign = -alpha if kind(node) == "sub" else alpha
    if node.args[0] is linear_input(node):
        return shifted(form, offset * sign)
    return shifted(scaled(form, torch.full((form.outs,), sign, dtype=torch.float64)), offset)


def _levels(node: Node, draft: Draft, layout: str) -> torch.Tensor | None:
    """Return the constant operand as one number a channel, or None when it varies along
    another axis.
    """
    source = linear_input(node)
    if source is None or shape(source) != shape(node):
        return None
    other = node.args[1] if node.args[0] is source else node.args[0]
    count = channels(shape(node), layout)
    if isinstance(other, int | float):
        return torch.full((count,), float(other), dtype=torch.float64)
    if not isinstance(other, Node) or not draft.is_constant(other):
        return None
    tensor = draft.tensor(other).double()
    full = (1,) * (len(shape(node)) - tensor.ndim) + tuple(tensor.shape)
    axis = 1 if layout == FIRST else len(full) - 1
    if any(n != 1 for position, n in enumerate(full) if position != axis):
        return None
    return tensor.reshape(-1).expand(count)


STEPS: dict[str, StepReader] = {
    "conv1d": _convolution,
    "conv2d": _convolution,
    "conv3d": _convolution,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "avg_pool1d": _average_pool,
    "avg_pool2d": _average_pool,
    "avg_pool3d": _average_pool,
    "constant_pad_nd": _pad,
    "pad": _pad,
    "mul": _multiply,
    "div": _multiply,
    "add": _add,
    "sub": _add,
    "neg": _negate,
    "alias": _pass_through,
    "clone": _pass_through,
    "dropout": _pass_through,
}
