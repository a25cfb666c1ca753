"""Check of a head that is host code: what was written, against the model, on the example and on other inputs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from edgevit.backends import LIMITS as OF_PRECISION
from edgevit.backends import Artifact, Delegation, Outside, Placement, judged, run_here
from edgevit.errors import PackageError
from edgevit.graph.head import SplitProgram, split_head
from edgevit.graph.other_inputs import Other
from edgevit.graph.parity import FP32, Limit, Parity
from edgevit.graph.program import Inputs, Program, origin
from edgevit.graph.ranking import compared, rankings_of, with_rankings
from edgevit.snippets import (
    HeadCode,
    compiler,
    load_head,
    run_compiled,
    write_head,
    write_languages,
)

_STAGE = "head"


def checked_head(
    draft: Path, split: SplitProgram, others: Sequence[Other], artifact: Artifact | None
) -> tuple[Parity, ...]:
    """Write the head, and compare it behind the model's own features and, if there is one to, the artifact's."""
    file, whole = write_head(draft, split.head), split.whole
    head, nameless = load_head(file), write_languages(file, split.head)

    def behind_the_model(inputs: Inputs) -> tuple[torch.Tensor, ...]:
        return head(split.body.run(inputs))

    parity = _on_the_example(_STAGE, "fp32", split, behind_the_model(whole.inputs), FP32)
    fresh = [Other(one.name, one.inputs, whole.run(one.inputs)) for one in others]
    fresh = with_rankings(whole, fresh)
    verdicts = judged(behind_the_model, fresh, whole, "fp32", FP32)
    if nameless:
        parity = replace(parity, notes=(*parity.notes, f"in Python alone: `{nameless}` has no form in C, Swift and Kotlin"))  # fmt: skip
    return (
        parity,
        *(replace(one, stage=f"{_STAGE}, {one.stage}") for one in verdicts),
        *(() if nameless else _in_c(draft, split)),
        *_behind_the_artifact(split, artifact, head),
    )


def _in_c(draft: Path, split: SplitProgram) -> tuple[Parity, ...]:
    """Compile the head's C, if there is a compiler, and compare it behind the model's own features."""
    if compiler() is None:
        return ()
    outputs = run_compiled(draft, split.body.run(), split.whole.run())
    return (_on_the_example(f"{_STAGE} in C", "fp32", split, outputs, FP32),)


def _behind_the_artifact(
    split: SplitProgram, artifact: Artifact | None, head: HeadCode
) -> tuple[Parity, ...]:
    limit = OF_PRECISION.get(artifact.precision) if artifact else None
    if artifact is None or limit is None:
        return ()
    try:
        outputs = head(run_here(artifact)(split.whole.inputs))
    except PackageError:  # nothing runs it on this machine
        return ()
    stage = f"{_STAGE} behind the artifact"
    return (_on_the_example(stage, artifact.precision, split, outputs, limit),)


def _on_the_example(
    stage: str, precision: str, split: SplitProgram, outputs: Sequence[torch.Tensor], limit: Limit
) -> Parity:
    whole = split.whole
    rankings = rankings_of(whole, whole.inputs)
    apart, notes = compared(whole.run(), outputs, rankings, limit)
    return Parity(stage, precision, apart, limit, notes=notes)


def with_head_notes(artifact: Artifact, program: Program, head: str) -> Artifact:
    """Note which calls of a head that is kept leave the accelerator, as the artifact or the forecast tells."""
    if head != "keep":
        return artifact
    calls = [*split_head(program).head.calls()]
    lines = {origin(node).source for node in calls} - {""}
    placement, delegation = artifact.placement, artifact.delegation
    if placement is None and delegation is None:
        notes = [f"head: {artifact.format} does not tell where its {len(calls)} calls run"]
    else:
        notes = [*_off_engine(placement, lines), *_outside(delegation, lines)]
        notes = notes or [f"head: none of its {len(calls)} calls is known to leave the accelerator"]
    return replace(artifact, notes=(*artifact.notes, *notes))


def _off_engine(placement: Placement | None, lines: set[str]) -> list[str]:
    """Say which calls at the lines are forecast on another unit, a note for each place, unit and reason."""
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for one in placement.off_engine if placement else ():
        if _is_at(one.where, lines):
            groups[one.where, one.unit, one.why].append(f"`{one.op}`")
    return [
        f"head: {', '.join(dict.fromkeys(names))} at {where} on the {unit} (predicted): {why}"
        for (where, unit, why), names in groups.items()
    ]


def _outside(delegation: Delegation | None, lines: set[str]) -> list[str]:
    """Say which calls at the lines the runtime's accelerated library does not take, a note for each place."""
    groups: dict[str, list[Outside]] = defaultdict(list)
    for one in delegation.outside if delegation else ():
        if _is_at(one.where, lines):
            groups[one.where].append(one)
    return [
        f"head: {', '.join(f'`{one.op}`' for one in group)} at {where} outside {delegation.to if delegation else ''}, "
        f"{sum(one.bytes for one in group)} bytes a run"
        for where, group in groups.items()
    ]


def _is_at(where: str, lines: set[str]) -> bool:
    return any(line in where.split() for line in lines)


def head_dict(split: SplitProgram) -> dict[str, object]:
    """Return the manifest's entry: where the artifact ends, and what the head gives."""
    outputs = zip(split.head.output_names, split.head.outputs(), strict=True)
    return {
        "file": "head/head.py",
        "boundary": list(split.head.input_names),
        "outputs": [
            {"name": name, "shape": list(node.meta["val"].shape), "dtype": str(node.meta["val"].dtype).removeprefix("torch.")}
            for name, node in outputs
        ],
        "calls": sum(1 for _ in split.head.calls()),
    }  # fmt: skip
