"""Core AI backend for the pipeline."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from edgevit.backends.api import Expected, Lowering
from edgevit.backends.artifact import Artifact
from edgevit.backends.coreai.lower import lower, write_asset
from edgevit.backends.coreai.rules import FORMS, RULES
from edgevit.backends.on_host import check_on_host
from edgevit.graph.parity import Parity
from edgevit.graph.program import Program
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.variants import Form

_HELD_OUT = 8  # runs; the reference executor is slow


@dataclass(frozen=True)
class CoreAI:
    rules: tuple[AnyRule, ...] = RULES
    forms: tuple[Form, ...] = FORMS

    def lower(self, request: Lowering) -> Artifact:
        return lower(
            request.program,
            request.source,
            precision=request.precision,
            directory=request.directory,
            weights=tuple(request.quantized.weights.values()) if request.quantized else (),
            progress=request.progress,
        )

    def check(self, artifact: Artifact, expected: Expected) -> tuple[Parity, ...]:
        """Compare the asset with the model in Apple's runtime.

        An fp16 asset has a twin in full precision that is checked first: what float16 rounds would hide
        an error of the lowering.
        """
        if artifact.precision != "fp16" or expected.program is None:
            fewer = replace(expected, held_out=expected.held_out[:_HELD_OUT])
            return check_on_host(artifact, fewer)
        whole = _check_in_full(artifact, expected, expected.program)
        return (*whole, *check_on_host(artifact, expected))


def _check_in_full(artifact: Artifact, expected: Expected, program: Program) -> tuple[Parity, ...]:
    """Write the asset in full precision, compare it on the example's inputs and throw it away."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / artifact.path.name
        write_asset(program, path)
        return check_on_host(
            replace(artifact, precision="fp32", path=path), replace(expected, others=())
        )


BACKEND = CoreAI()
