"""`x * scale + offset` as a batch norm that computes that.

coremltools' pass `fuse_elementwise_to_batchnorm` makes a norm of mean 0 and variance 1 of it, and leaves the
epsilon at its default: every value comes out short by 1 / sqrt(1 + 1e-5). That is 5e-6 a time and 8e-5 for
a net behind normalised pixels, nearly all that a check at full precision allows. The norms that the pass has
made are made again with an epsilon of 0.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

PASS = "fuse_elementwise_to_batchnorm"


def fuse_exactly(mil: Any, registry: Any) -> None:
    before = {op for function in mil.functions.values() for op in function.operations}
    registry[f"common::{PASS}"](mil)
    for function in mil.functions.values():
        fused = [o for o in function.operations if o.op_type == "batch_norm" and o not in before]
        if fused:
            _without_epsilon(function, fused)


def _without_epsilon(function: Any, norms: list[Any]) -> None:
    mb = import_module("coremltools.converters.mil.mil").Builder
    scope = import_module("coremltools.converters.mil.mil.scope")
    source = scope.ScopeInfo(source=scope.ScopeSource.COREMLTOOLS_GRAPH_PASS, data=[PASS])
    with mb.scope(source), function:
        for norm in norms:
            exact = mb.batch_norm(
                x=norm.x,
                mean=norm.mean,
                variance=norm.variance,
                gamma=norm.gamma,
                beta=norm.beta,
                epsilon=0.0,
                name=norm.outputs[0].name,
                before_op=norm,
            )
            function.replace_uses_of_var_after_op(
                anchor_op=norm, old_var=norm.outputs[0], new_var=exact
            )
            function.remove_ops([norm])
