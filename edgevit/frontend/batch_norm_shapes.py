"""Shapes of batch norms while a graph is captured.

Torch traces a batch norm's decomposition, a dozen operators, to find the shape of its result: a third
of the capture of a convolutional net. Outside training the result has the shape of the input.
"""

from __future__ import annotations

import functools
from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch._decomp import decomposition_table

_IN_EVAL_MODE = torch.ops.aten._native_batch_norm_legit_no_training.default


@contextmanager
def batch_norms_by_shape() -> Generator[None]:
    """Give fake tensors the shape alone. No decomposition may run inside: its numbers are no norm's."""
    usual = decomposition_table.get(_IN_EVAL_MODE)
    if usual is None:  # not in every release of torch
        yield
        return
    # Under its name: fake tensors take the decompositions of torch's own module alone.
    decomposition_table[_IN_EVAL_MODE] = functools.wraps(usual)(_result)
    try:
        yield
    finally:
        decomposition_table[_IN_EVAL_MODE] = usual


def _result(x: Tensor, *parameters: object, **named: object) -> tuple[Tensor, Tensor, Tensor]:
    """Return what `usual` returns: the result, and the statistics that only training has."""
    return torch.empty_like(x), x.new_empty(0), x.new_empty(0)
