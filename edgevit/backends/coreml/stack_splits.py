"""Parts of a stack that are the values that were stacked.

    squeeze(split(stack(a, b)))   ->   a, b

coremltools' pass `fuse_stack_split` fails on a part that has another reader than a squeeze. Then the stack stays.
"""

from __future__ import annotations

from typing import Any

PASS = "fuse_stack_split"


def fuse_squeezed(mil: Any, registry: Any) -> None:
    parts = [
        part
        for function in mil.functions.values()
        for op in function.operations
        if op.op_type == "stack"
        for split in op.outputs[0].child_ops
        if split.op_type == "split"
        for part in split.outputs
    ]
    if all([reader.op_type for reader in part.child_ops] == ["squeeze"] for part in parts):
        registry[f"common::{PASS}"](mil)
