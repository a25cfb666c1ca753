"""Eager outputs of the model, on its example inputs and on inputs of other statistics."""

from __future__ import annotations

from collections.abc import Callable

import torch

from edgevit.frontend.source import ModelSource
from edgevit.frontend.trial import tensors_in
from edgevit.graph.other_inputs import Other, other_inputs

Tensors = tuple[torch.Tensor, ...]
Run = Callable[[Tensors], Tensors]


def eager(source: ModelSource) -> Run:
    """Return a function that runs the model on copies: a model may write into its inputs."""

    def run(inputs: Tensors) -> Tensors:
        with torch.no_grad():
            return tensors_in(source.module(*(x.clone() for x in inputs)))

    return run


def run_others(run: Run, example: Tensors) -> tuple[Other, ...]:
    """Run the model on other inputs; those that it fails on are left out."""
    others = []
    for name, inputs in other_inputs(example).items():
        try:
            others.append(Other(name, inputs, run(inputs)))
        except Exception:
            continue
    return tuple(others)
