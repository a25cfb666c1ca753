"""Merging of the most similar tokens after every attention, by averages (Bolya et al. 2023,
ToMe).

    y = x + attention(norm(x))   ->   y' = merge(y), r tokens less, and all that reads y is made for so many

`merge-tokens=8`: 8 less after every attention; `8:8:4`: a count for each attention in order and 0 for the rest;
`8:4...`: the last count goes on. Tokens that are read by their place at the end (the class token) are never merged.
Behind a merge an attention counts a key for as many as it stands for, and so does a mean over tokens: where merged
tokens are equal, nothing changes at all.
"""

from __future__ import annotations

from edgevit.errors import UsageError
from edgevit.graph.aten import op
from edgevit.graph.calls import ATTENTION
from edgevit.graph.edit import Draft
from edgevit.graph.program import Program, origin
from edgevit.rewrites.lossy.option import NO_ATTENTION, LossyStep, LossyValueError, Taken
from edgevit.rewrites.lossy.token_blocks import TokenBlock, block_of
from edgevit.rewrites.lossy.token_walk import NotMergeableError, PrefixNeededError, TokenRewriter
from edgevit.rewrites.report import Refusal
from edgevit.rewrites.rule import Refused

TokenCounts = tuple[tuple[int, ...], bool]  # and whether the last goes on


def merge_tokens(value: str) -> LossyStep:
    counts = _counts(value)
    return lambda program: _merged(program, counts)


def _counts(value: str) -> TokenCounts:
    goes_on = value.endswith("...") or ":" not in value
    words = value.removesuffix("...").split(":")
    if not all(word.isdigit() for word in words) or not any(int(word) for word in words):
        raise LossyValueError(
            "its value is how many tokens go after each attention: merge-tokens=8, or 8:8:4, or 8:4..."
        )
    return tuple(int(word) for word in words), goes_on


def _merged(program: Program, counts: TokenCounts) -> Taken:
    prefix = 0
    while True:
        draft = Draft(program)
        blocks, refused = _blocks(draft, counts)
        places = tuple(origin(block.attention).place for block in blocks)
        try:
            if blocks:
                TokenRewriter(draft, blocks, prefix).run()
        except PrefixNeededError as needs:
            prefix = needs.count
            continue
        except NotMergeableError as stopped:
            return program, (), (*refused, Refusal(stopped.where, stopped.reason))
        return (draft.program() if blocks else program), places, refused


def _blocks(draft: Draft, counts: TokenCounts) -> tuple[dict[TokenBlock, int], tuple[Refusal, ...]]:
    attentions = [node for node in draft.graph.nodes if op(node) == ATTENTION]
    if not attentions:
        return {}, (NO_ATTENTION,)
    blocks: dict[TokenBlock, int] = {}
    refused: list[Refusal] = []
    for attention, count in zip(attentions, _for_each(len(attentions), counts), strict=True):
        try:
            block = block_of(attention, draft)
        except Refused as refusal:
            refused.append(Refusal(origin(attention).place, refusal.reason))
            continue
        if count:
            blocks[block] = count
    return blocks, tuple(refused)


def _for_each(attentions: int, counts: TokenCounts) -> list[int]:
    numbers, goes_on = counts
    if len(numbers) > attentions:
        raise UsageError(
            f"merge-tokens has {len(numbers)} counts, and the model {attentions} attentions"
        )
    return [*numbers, *[numbers[-1] if goes_on else 0] * (attentions - len(numbers))]
