"""Artifacts on fresh values: where they depart from the model by more than float32's own rounding."""

from __future__ import annotations

from typing import Any

import torch
from operator_cases import Case

from edgevit.backends import Artifact, Expected, backend_of
from edgevit.frontend.trial import tensors_in
from edgevit.graph.parity import FP32, distance

_NOISE = 8  # times PyTorch's own rounding
_ULP = 2.0**-23
Tensors = tuple[torch.Tensor, ...]


def departures(result: Any, format: str, case: Case) -> list[str]:
    """Return what departs, a text each; empty where all fresh values hold."""
    artifact = Artifact(format, "fp32", result.artifact, {})
    departed: list[str] = []
    for k, inputs in enumerate(case.fresh):
        outputs = outputs_of(case.module, inputs)
        if not all(bool(x.isfinite().all()) for x in outputs if x.is_floating_point()):
            continue
        parities = backend_of(format).check(artifact, Expected(inputs, outputs))
        worst = max((p.distance.rel_l2 for p in parities), default=0.0)
        if not all(p.passed for p in parities) and worst > _NOISE * rounding(
            case.module, inputs, outputs
        ):
            departed.append(f"fresh values {k}: relative L2 {worst:.1e}")
    return departed


def outputs_of(module: torch.nn.Module, inputs: Tensors) -> Tensors:
    with torch.no_grad():
        return tensors_in(module(*(x.clone() for x in inputs)))


def rounding(module: torch.nn.Module, inputs: Tensors, outputs: Tensors) -> float:
    """Return how far the outputs move with the last digit of the inputs."""
    moved = outputs_of(module, tuple(map(_moved, inputs)))
    apart = distance(outputs, moved).rel_l2
    return apart if apart > FP32.max_rel_l2 / _NOISE else 0.0


def _moved(x: torch.Tensor) -> torch.Tensor:
    if not x.is_floating_point():
        return x
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype)
    return x * (1 + _ULP * (2 * noise - 1))
