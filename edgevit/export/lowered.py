"""What an export lowers, without an artifact: the front half of the pipeline, done again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from edgevit.backends import Backend, Expected, Lowering, backend_for
from edgevit.export.job import ExportJob
from edgevit.export.pipeline import CapturedModel, lowering_of, rewritten_for
from edgevit.frontend import ModelArguments, eager
from edgevit.graph.program import Inputs, Program
from edgevit.rewrites import engine
from edgevit.support.progress import Stages


@dataclass(frozen=True)
class LoweredModel:
    """What an export in floats lowers, and the model's outputs that its artifact is held to."""

    expected: Expected  # `program`: as it is lowered; `original`: as it was captured
    graph: str  # hash of the graph as captured
    run: Callable[[Inputs], tuple[torch.Tensor, ...]]  # the model, after the lossy steps
    lowering: Lowering
    backend: Backend
    steps: tuple[tuple[str, Program], ...]  # rules that fired, with the program after each


def lowered_model(model: ModelArguments, job: ExportJob, stages: Stages) -> LoweredModel:
    """Do what an export does before it writes an artifact."""
    (format,) = job.formats
    captured, backend = CapturedModel.build(model, job, stages), backend_for(format, job.target)
    states: engine.States = {}
    captured.states = states
    rewritten, _ = rewritten_for(captured, format, job, stages)
    lowering = lowering_of(captured, backend, job, format, rewritten, Path(), stages)
    expected = Expected(
        captured.source.inputs,
        captured.expected,
        rewritten,
        captured.others,
        rankings=captured.rankings,
        original=captured.program,
    )
    fired = [
        state
        for _, state in sorted(states.items(), key=lambda item: len(item[0]))
        if state.reports and state.reports[-1].fired
    ]
    return LoweredModel(
        expected,
        captured.graph,
        captured.program.run if captured.lossy else eager(captured.source),
        lowering,
        backend,
        tuple((state.reports[-1].rule, state.program) for state in fired),
    )
