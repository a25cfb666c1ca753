"""ONNX backend for the pipeline."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.backends.api import Expected, Lowering
from edgevit.backends.artifact import Artifact
from edgevit.backends.on_host import check_on_host
from edgevit.backends.onnx.lower import lower
from edgevit.backends.onnx.rules import FORMS, RULES
from edgevit.backends.onnx.scheme import WEIGHTS
from edgevit.graph.parity import Parity
from edgevit.graph.program import Program
from edgevit.quantize import IntegerPlacement, RoundedWeight, with_pairs
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.variants import Form


@dataclass(frozen=True)
class Onnx:
    rules: tuple[AnyRule, ...] = RULES
    forms: tuple[Form, ...] = FORMS

    def lower(self, request: Lowering) -> Artifact:
        return lower(
            _as_written(request),
            request.precision,
            request.directory,
            request.progress,
            weights=_folded_weights(request),
        )

    def check(self, artifact: Artifact, expected: Expected) -> tuple[Parity, ...]:
        return check_on_host(artifact, expected)


def _as_written(request: Lowering) -> Program:
    """Return the program as the file has it: where the runtime rounds what it reads, it does so itself.

    Its kernel rounds in blocks of a row, the simulation whole rows.
    """
    quantized = request.quantized
    if quantized is None or not quantized.scheme.dynamic:
        return request.program
    calls = IntegerPlacement(quantized.placement.calls, (), {}, {}, ())
    return with_pairs(quantized.original, calls, {}, quantized.weights, WEIGHTS)


def _folded_weights(request: Lowering) -> tuple[RoundedWeight, ...]:
    quantized = request.quantized
    if quantized is None or not quantized.scheme.folded:
        return ()
    return tuple(quantized.weights.values())


BACKEND = Onnx()
