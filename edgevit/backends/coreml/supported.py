"""Check of ops and dtypes against coremltools' own table before anything is converted."""

from __future__ import annotations

from importlib import import_module

import torch
from torch.fx.node import Node

from edgevit.backends.coreml.definitions import is_misread
from edgevit.backends.coreml.tool import coremltools
from edgevit.backends.unsupported import refuse_inputs, refuse_ops
from edgevit.backends.whole_numbers import refuse_wide_constants, refuse_wide_integers
from edgevit.errors import UnsupportedOpError
from edgevit.graph.aten import op
from edgevit.graph.program import Program, value
from edgevit.graph.text import type_text
from edgevit.rewrites.layout.lower_rank.rule import MOST, is_of_many_axes

# Core ML's inputs and outputs are float16, float32, int32 (and uint8 images). int64 and bool travel as int32.
_INPUTS = frozenset({torch.float32, torch.float16, torch.int32, torch.int64, torch.bool})


_BOUNDS_AS_VALUES = frozenset({
    "linspace.Tensor_Tensor", "linspace.Tensor_Scalar", "linspace.Scalar_Tensor",
})  # fmt: skip  # the converter takes their values on the example


def is_known(node: Node) -> bool:
    """Return whether coremltools has a converter, under the name that it looks up itself."""
    if op(node) in _BOUNDS_AS_VALUES:
        return False
    coremltools()
    name = (
        node.target.name()
        if isinstance(node.target, torch._ops.OpOverload)
        else getattr(node.target, "__name__", "")
    )
    kind = import_module("coremltools.converters.mil.frontend.torch.utils").sanitize_op_kind(name)
    table = import_module(
        "coremltools.converters.mil.frontend.torch.torch_op_registry"
    )._TORCH_OPS_REGISTRY
    return kind in table.name_to_func_mapping


def is_taken(node: Node) -> bool:
    """Return whether coremltools has a converter that computes what the node does."""
    return is_known(node) and not is_misread(node)


def require_supported(program: Program) -> None:
    """Raise `UnsupportedOpError` for all unsupported inputs, constants and ops at once."""
    refuse_inputs(
        program,
        _INPUTS,
        "Core ML",
        "its inputs are float16, float32 and int32, as which it takes int64, bool and bytes that nothing is computed in",
    )
    refuse_wide_constants(program, "Core ML")
    refuse_wide_integers(program, "Core ML")
    _require_few_axes(program)
    unknown = [node for node in program.calls() if not is_known(node)]
    refuse_ops(unknown, "Core ML", f"coremltools {coremltools().__version__} has no converter for")


def require_one_float(program: Program) -> None:
    """Refuse casts to float16 in a package of float32: the converter drops them, and their rounding."""
    halves = [node for node in program.calls() if _gives_half(node)]
    refuse_ops(halves, "Core ML in fp32", "its values are all float32, and nothing rounds as float16 does for")  # fmt: skip


def _gives_half(node: Node) -> bool:
    result = node.meta["val"]
    return isinstance(result, torch.Tensor) and result.dtype == torch.float16


def _require_few_axes(program: Program) -> None:
    """Refuse tensors of too many axes, inputs and outputs first.

    No rewrite may change inputs and outputs.
    """
    outputs = (value(node) for node in program.outputs())
    named = (*zip(program.input_names, program.inputs, strict=True), *zip(program.output_names, outputs, strict=True))  # fmt: skip
    wide = [f"`{name}` is {type_text(tensor)}" for name, tensor in named if tensor.ndim > MOST]
    if wide:
        raise UnsupportedOpError(
            f"Core ML has no value of more than {MOST} axes: " + ", ".join(wide),
            where="the model's inputs and outputs",
            why=f"its tensors have at most {MOST} axes",
            hint="reshape it in `forward`, so that neighbouring axes are one",
        )
    many = [node for node in program.calls() if is_of_many_axes(node)]
    refuse_ops(many, "Core ML", f"its tensors have at most {MOST} axes, and there is no form with fewer for")  # fmt: skip


def require_picture(program: Program) -> None:
    """Refuse a program that does not take one RGB picture, which is all that Core ML passes."""
    wrong = [type_text(t) for t in program.inputs if t.ndim != 4 or t.shape[:2] != (1, 3)]
    if len(program.inputs) != 1 or wrong:
        raise UnsupportedOpError(
            "an image input is one 1x3xHxW tensor, and the model takes "
            + ", ".join(type_text(tensor) for tensor in program.inputs),
            hint="export with a batch of 1, or with a tensor input",
        )
