"""Convolutions. `pad` counts before/after per dimension, first dimension first."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from edgevit.backends.coreml.check.ops.arguments import Arguments, NotInterpretedError, OpFunction

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
CONV_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}

Pads = list[tuple[int, int]]


def conv(a: Arguments) -> Tensor:
    x, weight = a.tensor("x"), a.tensor("weight")
    rank = x.dim() - 2
    strides, dilations = a.ints("strides", [1] * rank), a.ints("dilations", [1] * rank)
    kernel = [(k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilations, strict=True)]
    pads = pads_of(a, list(x.shape[2:]), kernel, strides)
    if all(before == after for before, after in pads):
        padding = [before for before, _ in pads]
    else:
        x, padding = F.pad(x, flat(pads)), [0] * rank
    return CONV[rank](
        x, weight, a.maybe("bias"), strides, padding, dilations, a.integer("groups", 1)
    )


def conv_transpose(a: Arguments) -> Tensor:
    """Compute the full transposed convolution, then apply padding as a crop."""
    x, weight = a.tensor("x"), a.tensor("weight")
    rank = x.dim() - 2
    strides, dilations = a.ints("strides", [1] * rank), a.ints("dilations", [1] * rank)
    full = CONV_TRANSPOSE[rank](x, weight, None, strides, 0, 0, a.integer("groups", 1), dilations)
    out = F.pad(full, flat(crops_of(a, list(x.shape[2:]), list(full.shape[2:]), strides)))
    bias = a.maybe("bias")
    return out if bias is None else out + bias.reshape(-1, *[1] * rank)


def crops_of(a: Arguments, spatial: list[int], full: list[int], strides: list[int]) -> Pads:
    """Return the crops as negative padding.

    With an explicit `output_shape`, the surplus or deficit falls at the end.
    """
    mode = a.text("pad_type", "valid")
    output_sizes = a.ints("output_shape")[2:] if "output_shape" in a else None
    if mode == "same":
        sizes = output_sizes or [n * s for n, s in zip(spatial, strides, strict=True)]
        total = [f - n for f, n in zip(full, sizes, strict=True)]
        return [(-(t // 2), -(t - t // 2)) for t in total]
    pad = a.ints("pad", [0] * 2 * len(full)) if mode == "custom" else [0] * 2 * len(full)
    pairs = [(-before, -after) for before, after in zip(pad[::2], pad[1::2], strict=True)]
    if output_sizes is None:
        return pairs
    return [
        (before, n - f - before)
        for (before, _), n, f in zip(pairs, output_sizes, full, strict=True)
    ]


def pads_of(a: Arguments, spatial: list[int], kernel: list[int], strides: list[int]) -> Pads:
    """Return (before, after) per spatial dimension for a kernel of the given dilated size."""
    mode = a.text("pad_type", "valid").lower()
    if mode == "valid":
        return [(0, 0)] * len(spatial)
    if mode == "custom":
        pad = a.ints("pad", [0] * 2 * len(spatial))
        return list(zip(pad[::2], pad[1::2], strict=True))
    if mode not in ("same", "same_lower"):
        raise NotInterpretedError(f"pad_type {mode!r}")
    sizes = zip(spatial, kernel, strides, strict=True)
    total = [max(0, s * -(-n // s) - n + k - s) for n, k, s in sizes]
    halves = [(t // 2, t - t // 2) for t in total]
    return halves if mode == "same" else [(after, before) for before, after in halves]


def flat(pads: Pads) -> list[int]:
    """Return the pads in torch's order, the last dimension first."""
    return [n for pair in reversed(pads) for n in pair]


OPS: dict[str, OpFunction] = {"conv": conv, "conv_transpose": conv_transpose}
