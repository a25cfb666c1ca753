"""Reduction of the tokens behind attentions: `merge-tokens` by averages of the most alike, `fuse-tokens`
by one average of the least attended.

    y = x + attention(norm(x))   ->   y' = reduce(y), r tokens less, and all that reads y is made for so many

`merge-tokens=8`: 8 less after every attention; `8:8:4`: a count for each attention in order and 0 for the rest;
`8:4...`: the last count goes on; a number below 1 is a share. Tokens that are read by their place at the end (the
class token) always stay. Behind it an attention counts a key for as many as it stands for, and so does a mean over
tokens: where tokens that go together are equal, nothing changes at all.
"""

from __future__ import annotations

from edgevit.graph.aten import op
from edgevit.graph.calls import ATTENTION
from edgevit.graph.edit import Draft
from edgevit.graph.program import Program, origin
from edgevit.rewrites.lossy.option import NO_ATTENTION, LossyStep, Taken
from edgevit.rewrites.lossy.token_blocks import TokenBlock, block_of
from edgevit.rewrites.lossy.token_counts import TokenCount, TokenCounts
from edgevit.rewrites.lossy.token_fusing import Fusing
from edgevit.rewrites.lossy.token_merging import Merging
from edgevit.rewrites.lossy.token_reduction import Reduction
from edgevit.rewrites.lossy.token_walk import NotMergeableError, PrefixNeededError, TokenRewriter
from edgevit.rewrites.report import Refusal
from edgevit.rewrites.rule import Refused


def merge_tokens(value: str) -> LossyStep:
    return _step(Merging(), value)


def fuse_tokens(value: str) -> LossyStep:
    return _step(Fusing(), value)


def _step(reduction: Reduction, value: str) -> LossyStep:
    counts = TokenCounts.parsed(reduction.name, value, reduction.adds)
    return lambda program, _: _reduced(program, reduction, counts)


def _reduced(program: Program, reduction: Reduction, counts: TokenCounts) -> Taken:
    prefix = 0
    while True:
        draft = Draft(program)
        blocks, refused = _blocks(draft, reduction.name, counts)
        places = tuple(origin(block.attention).place for block in blocks)
        try:
            if blocks:
                TokenRewriter(draft, reduction, blocks, prefix).run()
        except PrefixNeededError as needs:
            prefix = needs.count
            continue
        except NotMergeableError as stopped:
            return program, (), (*refused, Refusal(stopped.where, stopped.reason))
        return (draft.program() if blocks else program), places, refused


def _blocks(
    draft: Draft, option: str, counts: TokenCounts
) -> tuple[dict[TokenBlock, TokenCount], tuple[Refusal, ...]]:
    attentions = [node for node in draft.graph.nodes if op(node) == ATTENTION]
    if not attentions:
        return {}, (NO_ATTENTION,)
    blocks: dict[TokenBlock, TokenCount] = {}
    refused: list[Refusal] = []
    for attention, count in zip(attentions, counts.for_each(option, len(attentions)), strict=True):
        try:
            block = block_of(attention, draft)
        except Refused as refusal:
            refused.append(Refusal(origin(attention).place, refusal.reason))
            continue
        if count:
            blocks[block] = count
    return blocks, tuple(refused)
