"""Place of a head that is host code, by which of its calls leave the accelerator in files of the whole model."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from edgevit.backends import Artifact
from edgevit.errors import EdgevitError
from edgevit.export.job import ExportJob
from edgevit.frontend import ModelSource, head_option, with_other_head
from edgevit.graph.aten import kind
from edgevit.graph.head import SplitProgram, bytes_moved
from edgevit.graph.program import Program, origin
from edgevit.support.progress import Stages

_ALL_STAY = "no call of the head is known to leave the accelerator: --head native gives the host less to do"  # fmt: skip
Lower = Callable[[ModelSource, Program, str, Path], Artifact]  # to a format, into a folder


def with_placed_head(
    source: ModelSource, job: ExportJob, stages: Stages, lower: Lower
) -> ModelSource:
    """Begin the head of a split model where it is cheapest."""
    split = source.split
    if split is None or job.target.is_microcontroller:
        return source
    whole = replace(source, module=split.whole.module(), output_names=split.whole.output_names, split=None)  # fmt: skip
    leaving, tells = set[str](), False
    for format in job.formats:
        if job.calibrated(format):  # its calls are those of the ranges, which are not chosen yet
            continue
        stage = stages.stage("head", f"see where {format} has the head run")
        # A format that does not take the whole says nothing: the head is what is behind the products.
        with stage, TemporaryDirectory() as folder, suppress(EdgevitError):
            artifact = lower(whole, split.whole, format, Path(folder))
            leaving |= _leaving_calls(artifact, split)
            tells |= bool(artifact.placement or artifact.delegation)
    if not leaving:
        return replace(source, notes=(*source.notes, *([_ALL_STAY] if tells else ())))
    placed = with_other_head(source, leaving)
    assert placed.split is not None
    if placed.split.body.output_names == split.body.output_names:
        return source
    return replace(placed, notes=(*placed.notes, _note(split, placed.split, leaving)))


def head_place(source: ModelSource) -> dict[str, str]:
    """Return the option that ends the model at the same values again."""
    split = source.split
    return {"head": head_option(split)} if split and split.is_placed else {}


def _leaving_calls(artifact: Artifact, split: SplitProgram) -> set[str]:
    """Name the calls of the head at lines that leave the accelerator."""
    placement, delegation = artifact.placement, artifact.delegation
    off = [*(placement.off_engine if placement else ()), *(delegation.outside if delegation else ())]  # fmt: skip
    lines = {word for one in off for word in one.where.split()}
    return {node.name for node in split.head.calls() if origin(node).source in lines}


def _note(earlier: SplitProgram, split: SplitProgram, leaving: Collection[str]) -> str:
    kinds = dict.fromkeys(kind(node) for node in split.head.calls() if node.name in leaving)
    before = len([*earlier.head.calls()]) - len([*split.head.calls()])
    return (
        f"the head begins where the host moves the fewest bytes: {bytes_moved(split)} (predicted) instead of {bytes_moved(earlier)} "
        f"behind the last product; the lines of {', '.join(f'`{one}`' for one in kinds)} leave the accelerator, and {before} calls before them stay on it"
    )
