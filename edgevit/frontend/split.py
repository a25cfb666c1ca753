"""`--head split`: what is behind the last convolution or product is host code, and the artifact ends before it.

`split:NAME,NAME` ends it behind these values of the graph: an export whose head leaves the accelerator records them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from edgevit.errors import UsageError
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.graph.aten import kind
from edgevit.graph.head import SplitProgram, split_at, split_head
from edgevit.graph.program import Program, origin

HEADS = ("native", "split", "keep")
_SPLIT = "split:"
_CHOOSES = ("topk", "sort", "argsort", "argmax")


def require_head(head: str) -> None:
    if head not in HEADS and not head.startswith(_SPLIT):
        raise UsageError(
            f"`{head[:40]}` is no way to treat a head",
            where="--head",
            why="native and keep leave it in the artifact, split writes it as host code",
            hint="--head native, --head split or --head keep",
        )


def without_head(source: ModelSource, head: str) -> ModelSource:
    """Return a model that ends where its head begins, or `source` where the head is to stay."""
    if not head.startswith("split"):
        return source
    program, names = capture(source), head.removeprefix(_SPLIT).split(",")
    try:
        split = split_at(program, names) if head.startswith(_SPLIT) else split_head(program)
    except KeyError as missing:
        raise UsageError(
            f"the graph has no value {missing}",
            where="--head",
            why="this version of torch or of the model captures another graph",
            hint="--head split",
        ) from missing
    return _ended(source, split)


def with_other_head(source: ModelSource, leaving: Collection[str]) -> ModelSource:
    """Begin the head of a model that is without it where these calls make it cheapest."""
    assert source.split is not None
    notes = source.notes[: -len(_notes(source.split.head, source.split.body))]
    split = split_head(source.split.whole, leaving)
    return _ended(replace(source, notes=notes), split)


def head_option(split: SplitProgram) -> str:
    """Return the option that leads to this split again."""
    return _SPLIT + ",".join(split.body.output_names)


def _ended(source: ModelSource, split: SplitProgram) -> ModelSource:
    if not any(True for _ in split.head.calls()):
        raise UsageError(
            "the model has no head to split off",
            where="--head split",
            why="nothing is behind its last convolution, product or resize",
            hint="--head native",
        )
    if any(node in split.body.placeholders() for node in split.body.outputs()):
        raise UsageError(
            "the head reads the model's own input",
            where="--head split",
            why="an artifact does not give back what it takes",
            hint="--head native",
        )
    return replace(
        source,
        module=split.body.module(),
        exported=None,
        output_names=split.body.output_names,
        split=split,
        notes=(*source.notes, *_notes(split.head, split.body)),
    )


def _notes(head: Program, body: Program) -> list[str]:
    values = ", ".join(f"`{name}`" for name in head.input_names)
    calls = sum(1 for _ in head.calls())
    notes = [f"the artifact gives {values}; the last {calls} calls are head/head.py, from them to the model's outputs"]  # fmt: skip
    inside = [node for node in body.calls() if kind(node) in _CHOOSES]
    if inside:
        notes.append(f"`{kind(inside[0])}` at {origin(inside[0]).place} stays in the artifact: convolutions or products are behind it")  # fmt: skip
    return notes
