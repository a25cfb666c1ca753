"""Selection and order of coremltools' graph passes, without a validation of the program after each.

The lists are those of `ct.PassPipeline.DEFAULT` in their order, split where the precision changes.
Left out are repeats that no pass in between has given work to, and the passes for stateful models.
The program is validated after each list instead of after each pass, which is half the time of a
default conversion. A test compares the op counts of whole nets with those of the default pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from importlib import import_module
from typing import Any

from edgevit.backends.coreml import (
    channel_norms,
    exact_norms,
    mixed_floats,
    narrow_indices,
    stack_splits,
)
from edgevit.errors import InternalError

# Everything that does not depend on the precision of the shipped package.
FULL_PRECISION = (
    "lower_complex_dialect_ops",
    "update_output_dtypes",
    "cast_optimization",
    "noop_elimination",
    "int_op_canonicalization",
    "nullify_redundant_quantization_zero_point",
    "dequantize_quantize_pair_elimination",
    "distributive_quantized_binary_op_scale_normalization",
    "dequantize_to_constexpr",
    "canonicalize_quantized_lut_pattern",
    "const_elimination",
    "divide_to_multiply",
    "select_optimization",
    "add_conv_transpose_output_shape",
    "const_elimination",
    "const_deduplication",
    "loop_invariant_elimination",
    "remove_symbolic_reshape",
    "noop_elimination",
    "fuse_matmul_weight_bias",
    "fuse_linear_bias",
    "fuse_gelu_tanh_approximation",
    "fuse_gelu_exact",
    "fuse_leaky_relu",
    "rank0_expand_dims_swap",
    "fuse_squeeze_expand_dims",
    "compose_conv1d",
    "use_reflection_padding",
    "merge_consecutive_paddings",
    "fuse_pad_conv",
    "image_input_preprocess",
    "replace_stack_reshape",
    "reduce_transposes",
    "fuse_dilated_conv",
    "fuse_conv_scale",
    "fuse_conv_bias",
    "fuse_onehot_matmul_to_gather",
    "fuse_layernorm_or_instancenorm",
    "fuse_elementwise_to_batchnorm",
    "fuse_reduce_mean",
    "fuse_conv_batchnorm",
    "fuse_conv_scale",
    "fuse_conv_bias",
    "fuse_conv_batchnorm",
    "detect_concat_interleave",
    "concat_to_pixel_shuffle",
    "fuse_prelu",
    "prelu_to_lrelu",
    "merge_consecutive_relus",
    "merge_consecutive_reshapes",
    "merge_consecutive_transposes",
    "fuse_transpose_matmul",
    "expand_high_rank_reshape_and_transpose",
    "fuse_stack_split",
    "reduce_transposes",
    "remove_redundant_ops",
    "const_elimination",
    "dead_code_elimination",
    "cast_optimization",
    "dead_code_elimination",
    "const_deduplication",
    "merge_affine_dequantize_with_consecutive_ops",
    "expand_dynamic_linear",
    "fuse_transpose_matmul",
    "noop_elimination",
    "dedup_op_and_var_names",
    "topological_reorder",
    "dead_code_elimination",
)

# After the list above, for a package that stays at fp32. For fp16 it comes after the indices became int16.
ONLY_FULL_PRECISION = (
    "guard_negative_gather_indices",
    "const_elimination",
    "dedup_op_and_var_names",  # the first calls its sums `add_1`, as a value of the model may be called
    "dead_code_elimination",
)

# After `FULL_PRECISION`: casts around every op, then the removal of nearly all of them.
HALF_PRECISION = (
    "add_fp16_cast",
    "add_int16_cast",
    "update_output_dtypes",
    "guard_negative_gather_indices",
    "const_elimination",
    "dead_code_elimination",
    "cast_optimization",
    "dead_code_elimination",
    "add_int16_cast",
    "const_elimination",
    "cast_optimization",
    "dead_code_elimination",
    "const_deduplication",
    "noop_elimination",
    "dedup_op_and_var_names",
    "remove_redundant_ops",
    "topological_reorder",
    "dead_code_elimination",
)

# In place of theirs, or around them: what they leave undone, do inexactly or fail on.
_OURS: dict[str, Callable[[Any, Any], None]] = {
    exact_norms.PASS: exact_norms.fuse_exactly,
    channel_norms.PASS: channel_norms.fuse_all,
    narrow_indices.PASS: narrow_indices.narrow_safely,
    stack_splits.PASS: stack_splits.fuse_squeezed,
}


def run_passes(mil: Any, names: tuple[str, ...], in_fp32: Collection[str] = ()) -> None:
    """Run the named passes on the MIL program, in place; `in_fp32` is what is not halved."""
    ours = _OURS | {mixed_floats.PASS: mixed_floats.halve_all_but(in_fp32)}
    registry = import_module("coremltools.converters.mil.mil.passes.pass_registry").PASS_REGISTRY
    for name in names:
        try:
            if name in ours:
                ours[name](mil, registry)
            else:
                registry[f"common::{name}"](mil)
        except Exception as error:
            raise InternalError(
                f"coremltools' pass `{name}` failed",
                why=str(error).strip()[:400],
            ) from error
    mil.validate(check_essential_scope=True)
