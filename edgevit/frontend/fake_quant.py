"""Fake-quantise calls of quantisation-aware training, as quantize and dequantize pairs with their scales.

    fake_quantize(x, scale, zero)   ->   dequantize(quantize(x, scale, zero), scale, zero)

The same numbers come out. Those of torch.ao: with and without an observer in the call, a scale for
the tensor or for each channel.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.ao.quantization.fx._decomposed  # pyright: ignore[reportUnusedImport]  # registers its operators
from torch.fx.node import Node

from edgevit.errors import CaptureError
from edgevit.graph.aten import argument, has_argument, kind
from edgevit.graph.edit import Draft, Edit
from edgevit.graph.program import Program, origin

_OPS = torch.ops.quantized_decomposed
_OBSERVING = {"fused_moving_avg_obs_fake_quant", "_fused_moving_avg_obs_fq_helper",
              "_fused_moving_avg_obs_fq_helper_functional"}  # fmt: skip
_PER_TENSOR = {"fake_quantize_per_tensor_affine", "fake_quantize_per_tensor_affine_cachemask",
               "_fake_quantize_per_tensor_affine_cachemask_tensor_qparams"}  # fmt: skip
_PER_CHANNEL = {"fake_quantize_per_channel_affine", "fake_quantize_per_channel_affine_cachemask"}
_TYPES = ((0, 255, torch.uint8), (-128, 127, torch.int8))


@dataclass(frozen=True)
class _FakeQuant:
    """One call; `axis` is None for one scale."""

    node: Node
    enabled: bool
    scale: torch.Tensor
    zero: torch.Tensor
    least: int
    most: int
    axis: int | None

    def dtype(self) -> torch.dtype:
        for low, high, dtype in _TYPES:
            if low <= self.least and self.most <= high:
                return dtype
        raise CaptureError(
            f"a fake-quantise call has integers of {self.least} to {self.most}",
            where=str(origin(self.node)),
            why="they fit neither int8 nor uint8",
            hint="train with quant_min and quant_max of 8 bits",
        )


def pairs_for_fake_quant(program: Program) -> Program:
    """Write the pairs; return the program itself where nothing was fake-quantised."""
    calls = {node.name for node in program.calls() if kind(node) in _ALL}
    if not calls:
        return program
    draft = Draft(program)
    for node in list(draft.graph.nodes):
        if node.name in calls:
            read = _read(node, draft)
            source = cast(Node, node.args[0])
            written = _pair(read, source, draft) if read.enabled else source
            for result in _results(node):
                result.replace_all_uses_with(written)
    return draft.program()


_ALL = _OBSERVING | _PER_TENSOR | _PER_CHANNEL


def _results(node: Node) -> list[Node]:
    """Return the nodes that stand for the values: the first part, where a call returns several."""
    if isinstance(node.meta["val"], torch.Tensor):
        return [node]
    return [user for user in node.users if user.target is operator.getitem and user.args[1] == 0]


def _read(node: Node, draft: Draft) -> _FakeQuant:
    if kind(node) in _OBSERVING:
        return _observing(node, draft)
    enabled = not has_argument(node, "fake_quant_enabled") or bool(
        _numbers(argument(node, "fake_quant_enabled"), node, draft).any()
    )
    scale, zero = (_numbers(argument(node, n), node, draft) for n in ("scale", "zero_point"))
    axis = argument(node, "axis") if kind(node) in _PER_CHANNEL else None
    return _FakeQuant(
        node, enabled, scale, zero, argument(node, "quant_min"), argument(node, "quant_max"), axis
    )


def _observing(node: Node, draft: Draft) -> _FakeQuant:
    observes, enabled, scale, zero = (
        _numbers(argument(node, name), node, draft)
        for name in ("observer_on", "fake_quant_on", "scale", "zero_point")
    )
    if bool(observes.any()):
        raise CaptureError(
            "the observers of the fake-quantise modules are still on",
            where=str(origin(node)),
            why="each run would change their scales",
            hint="model.apply(torch.ao.quantization.disable_observer) before the export",
        )
    axis = argument(node, "ch_axis") if argument(node, "per_row_fake_quant") else None
    least, most = argument(node, "quant_min"), argument(node, "quant_max")
    return _FakeQuant(node, bool(enabled.any()), scale, zero, least, most, axis)


def _numbers(source: Any, node: Node, draft: Draft) -> torch.Tensor:
    if isinstance(source, Node):
        if not draft.is_constant(source):
            raise CaptureError(
                "a scale of a fake-quantise call is computed",
                where=str(origin(node)),
                why="integers have a fixed scale",
                hint="keep the scale as a buffer or a parameter of the module",
            )
        return draft.tensor(source)
    return torch.as_tensor(source)


def _pair(read: _FakeQuant, source: Node, draft: Draft) -> Node:
    edit = Edit(draft, "read-fake-quant", read.node)
    limits = (read.least, read.most, read.dtype())
    if read.axis is None:
        where = (float(read.scale), int(read.zero), *limits)
        integers = edit.call(_OPS.quantize_per_tensor.default, source, *where)
        return edit.call(_OPS.dequantize_per_tensor.default, integers, *where)
    scales = edit.constant(read.scale.float(), "scales")
    zeros = edit.constant(read.zero.long(), "zeros")
    where = (scales, zeros, read.axis, *limits)
    integers = edit.call(_OPS.quantize_per_channel.default, source, *where)
    return edit.call(_OPS.dequantize_per_channel.default, integers, *where)
