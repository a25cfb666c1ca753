"""Exact constants: numbers that coreai-torch would round to float16 in a program of float32.

It takes a call without operands of real numbers, such as `full` or a `where` of two numbers, for one in float16.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from unittest.mock import patch

import torch
from torch.fx.node import Node

from edgevit.backends.coreai.tool import module


@contextlib.contextmanager
def exact_constants() -> Iterator[None]:
    converter = module("coreai_torch._utils")
    theirs = converter._all_float_operands_are_fp16

    def is_half(node: Node) -> bool:
        dtype = getattr(node.meta.get("val"), "dtype", None)
        wider = dtype is not None and dtype.is_floating_point and dtype != torch.float16
        return theirs(node) and not wider

    with patch.object(converter, "_all_float_operands_are_fp16", is_half):
        yield
