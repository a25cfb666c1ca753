"""Comparison of an artifact with the model on inputs of other statistics than the example's.

Only what PyTorch itself computes well is compared. Where float32 departs from float64, or a change
in the last digit of the input shows in the output, the net's output is noise, and the runtime is
not tested against it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from edgevit.backends.own_rounding import NOISE, exact_and_nudged
from edgevit.graph.half import in_float16
from edgevit.graph.other_inputs import Other
from edgevit.graph.parity import FP32, SAME, Distance, Limit, Parity, distance
from edgevit.graph.program import Inputs, Outputs, Program
from edgevit.graph.ranking import compared

STAGE = "other inputs"
_NOISE_OF_HALF = 3  # times that of PyTorch, which rounds in fewer places
_LARGEST_HALF = torch.finfo(torch.float16).max


def judged(
    run: Callable[[Inputs], Outputs],
    others: Sequence[Other],
    program: Program | None,
    precision: str,
    limit: Limit,
    original: Program | None = None,
) -> tuple[Parity, ...]:
    """Return one verdict over all inputs that can be judged, or none if no input can.

    `program`, which was lowered, and `original`, as it was captured, are used to tell noise from error.
    """
    graphs = [graph for graph in (program, original) if graph is not None]
    worst, names, notes = SAME, [], []
    for other in others:
        why = _not_to_be_judged(other, precision)
        parity, matched = SAME, ()
        if not why:
            parity, matched = compared(other.outputs, run(other.inputs), other.rankings, limit)
        failed = not why and not limit.holds(parity)
        if failed and program is not None and not _compute_another(graphs, other):
            why = _noise(other, parity, program, precision, limit)
        if why:
            notes.append(f"{other.name}: not judged, {why}")
            continue
        names.append(other.name)
        notes += [f"{other.name}: {note}" for note in matched]
        worst = _worse(worst, parity)
        if not limit.holds(parity):
            notes.append(
                f"{other.name}: relative L2 {parity.rel_l2:.2e}, cosine {parity.cosine:.6f}"
            )
    if not names:
        return ()
    return (Parity(STAGE, precision, worst, limit, (), tuple(notes), tuple(names)),)


def _not_to_be_judged(other: Other, precision: str) -> str:
    floats = [x for x in other.outputs if x.is_floating_point()]
    if not all(bool(x.isfinite().all()) for x in floats):
        return "the model itself is not finite there"
    if precision == "fp16" and any(x.numel() and float(x.abs().max()) > _LARGEST_HALF for x in floats):  # fmt: skip
        return "the model's outputs are beyond the range of float16 there"
    return ""


def _compute_another(graphs: Sequence[Program], other: Other) -> bool:
    """Check for a graph that departs from the model by more than rounding: a capture or a rule is wrong."""
    apart = own = 0.0
    for graph in graphs:
        outputs = graph.run(other.inputs)
        exact, moved = exact_and_nudged(graph, other.inputs)
        own = max(own, distance(exact, outputs).rel_l2, distance(outputs, moved).rel_l2)
        apart = max(apart, compared(other.outputs, outputs, other.rankings, FP32)[0].rel_l2)
    return apart > FP32.max_rel_l2 and apart > NOISE * own


def _noise(other: Other, parity: Distance, program: Program, precision: str, limit: Limit) -> str:
    if precision == "fp16":
        return _noise_of_half(other, parity, program, limit)
    exact, moved = exact_and_nudged(program, other.inputs)
    apart = max(distance(exact, other.outputs).rel_l2, distance(other.outputs, moved).rel_l2)
    if limit.max_rel_l2 < apart or parity.rel_l2 <= NOISE * apart:
        return f"the model's own rounding is {apart:.1e} there"
    return ""


def _noise_of_half(other: Other, parity: Distance, program: Program, limit: Limit) -> str:
    try:
        half = in_float16(program).run(other.inputs)
    except Exception as error:  # of PyTorch, which has no float16 kernel for some calls
        return f"PyTorch has no float16 to compare with ({type(error).__name__})"
    finite = all(bool(x.isfinite().all()) for x in half if x.is_floating_point())
    own = distance(other.outputs, half)
    if not finite or not limit.holds(own):
        return "PyTorch in float16 is as far from the model there"
    if parity.rel_l2 <= _NOISE_OF_HALF * own.rel_l2:
        return f"PyTorch in float16 is {own.rel_l2:.1e} from the model there"
    return ""


def _worse(one: Distance, other: Distance) -> Distance:
    return Distance(
        max(one.max_abs, other.max_abs),
        max(one.rel_l2, other.rel_l2),
        min(one.cosine, other.cosine),
        min(one.top1_agree, other.top1_agree),
    )
