"""Runner of the lossy steps, each with a parity figure against the program before it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgevit.errors import LossyStepError
from edgevit.graph.cost import GraphStats, stats
from edgevit.graph.parity import SAME, Distance, Parity, distance
from edgevit.graph.program import Program
from edgevit.rewrites import engine
from edgevit.rewrites.lossy.option import Samples
from edgevit.rewrites.lossy.parser import LossyOption
from edgevit.rewrites.report import Refusal, RuleReport


@dataclass(frozen=True)
class StepReport:
    """Report of one lossy step, against the program before it, on the example inputs."""

    name: str
    value: str
    places: tuple[str, ...]
    refused: tuple[Refusal, ...]
    moved: Distance
    macs_before: int
    macs_after: int

    def as_dict(self) -> dict[str, object]:
        return {
            "name": self.name,
            "value": self.value or None,
            "places": list(self.places),
            "refused": [{"where": r.where, "why": r.why} for r in self.refused],
            "rel_l2": self.moved.rel_l2,
            "cosine": self.moved.cosine,
            "top1_agree": self.moved.top1_agree,
            "macs": {"before": self.macs_before, "after": self.macs_after},
        }


@dataclass(frozen=True)
class LossyProgram:
    """Result of the lossy steps. Exact rewrites from here on are compared with `outputs`."""

    program: Program
    outputs: engine.Tensors
    before: GraphStats  # of the program as it was captured
    rules: tuple[RuleReport, ...]  # the exact rules that prepared it
    steps: tuple[StepReport, ...]


@dataclass(frozen=True)
class LossyResult:
    """Facts about an export's lossy steps."""

    loss: LossyProgram
    captured: Parity  # the graph before them, against the model in eager mode
    total: Distance  # after them, against the same

    def as_dict(self) -> dict[str, object]:
        return {
            "lossy": [step.as_dict() for step in self.loss.steps],
            "from_original": {
                "max_abs": self.total.max_abs,
                "rel_l2": self.total.rel_l2,
                "cosine": self.total.cosine,
                "top1_agree": self.total.top1_agree,
            },
        }


NOT_LOSSY: dict[str, object] = {"lossy": [], "from_original": None}


def apply_lossy(
    program: Program,
    chosen: Sequence[LossyOption],
    without: Sequence[str] = (),
    progress: Callable[[str], None] = lambda _: None,
    samples: Samples | None = None,
) -> LossyProgram:
    """Apply the chosen lossy steps; `without` names exact rules that must not prepare a step.

    `samples`: calibration inputs; None: the example inputs alone.
    """
    samples = samples or (lambda: (program.inputs,))
    state = LossyProgram(program, program.run(), stats(program), (), ())
    for choice in chosen:
        progress(str(choice))
        state = _after(choice, state, without, samples)
    return state


def _after(
    choice: LossyOption, state: LossyProgram, without: Sequence[str], samples: Samples
) -> LossyProgram:
    rules = [rule for rule in choice.option.prepare if rule.name not in without]
    prepared, exact = engine.run(state.program, rules)
    program, places, refused = choice.step(prepared, samples)
    outputs = engine.run_or_blame(program, choice.name) if places else state.outputs
    moved = distance(state.outputs, outputs) if places else SAME
    if not math.isfinite(moved.rel_l2):
        raise LossyStepError(
            f"after `--lossy {choice}` nothing is left of what the model computes",
            why="the outputs are not finite, or were zero before",
            hint="export without it, or with a milder value",
        )
    report = StepReport(
        choice.name, choice.value, places, refused, moved, exact.after.macs, stats(program).macs
    )
    return LossyProgram(
        program, outputs, state.before, (*state.rules, *exact.rules), (*state.steps, report)
    )
