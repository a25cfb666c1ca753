"""Table of lossy options: name, form of the value, and effect in one line."""

from __future__ import annotations

from edgevit.rewrites.attention.restore_attention import RestoreAttention
from edgevit.rewrites.convolutions.collapse_linear import CollapseLinear
from edgevit.rewrites.lossy.gelu_relu import GeluRelu
from edgevit.rewrites.lossy.gelu_sigmoid import GeluSigmoid
from edgevit.rewrites.lossy.gelu_tanh import GeluTanh
from edgevit.rewrites.lossy.low_rank import low_rank
from edgevit.rewrites.lossy.merge_heads import merge_heads
from edgevit.rewrites.lossy.option import TIDY, LossyKind, by_rule
from edgevit.rewrites.lossy.prune_heads import prune_heads
from edgevit.rewrites.lossy.prune_mlp import prune_mlp
from edgevit.rewrites.lossy.reduce_tokens import fuse_tokens, merge_tokens
from edgevit.rewrites.lossy.slice_width import slice_width
from edgevit.rewrites.lossy.sparse_weights import sparse_2to4, sparse_blocks
from edgevit.rewrites.norms.restore_batch_norm import RestoreBatchNorm
from edgevit.support.choice import Choice

_ATTENTIONS = (*TIDY, RestoreAttention())
_CONVOLUTIONS = (*TIDY, RestoreBatchNorm(), CollapseLinear())

OPTIONS: dict[str, LossyKind] = {
    "gelu-tanh": LossyKind("GELU by its tanh form", by_rule(GeluTanh())),
    "gelu-sigmoid": LossyKind("GELU by x * sigmoid(1.702 x)", by_rule(GeluSigmoid())),
    "gelu-relu": LossyKind("GELU by ReLU", by_rule(GeluRelu())),
    # After what is one convolution has been made one: a branch cut in two could no longer be.
    "low-rank": LossyKind(
        "linears and 1x1 convolutions as two, by SVD: R is a share of the energy, or a rank",
        low_rank,
        "R",
        _CONVOLUTIONS,
    ),
    "merge-heads": LossyKind(
        "heads whose attention maps are alike share one: T is a cosine similarity",
        merge_heads,
        "T",
        _ATTENTIONS,
    ),
    "prune-heads": LossyKind(
        "N heads of each attention go, or a share; the layer behind is fitted on calibration inputs",
        prune_heads,
        "N",
        _ATTENTIONS,
        calibrated=True,
    ),
    "prune-mlp": LossyKind(
        "that share of hidden channels goes; the layer behind is fitted on calibration inputs",
        prune_mlp,
        "S",
        _CONVOLUTIONS,
        calibrated=True,
    ),
    "slice-width": LossyKind(
        "that share of the channels of residual streams goes, after a rotation found on calibration inputs",
        slice_width,
        "S",
        _CONVOLUTIONS,
        calibrated=True,
    ),
    "sparse-blocks": LossyKind(
        "that share of blocks of 4 x 16 weights is zero, or S:4 of 4 x 4; the others are fitted on calibration inputs",
        sparse_blocks,
        "S",
        _CONVOLUTIONS,
        calibrated=True,
    ),
    "sparse-2to4": LossyKind(
        "two of every four inputs have a weight of zero; the others are fitted on calibration inputs",
        sparse_2to4,
        "",
        _CONVOLUTIONS,
        calibrated=True,
    ),
    "fuse-tokens": LossyKind(
        "the N least attended tokens become one after every attention; N:M:... for each, or shares",
        fuse_tokens,
        "N",
        _ATTENTIONS,
    ),
    "merge-tokens": LossyKind(
        "the N most alike tokens are averaged after every attention; N:M:... for each, or shares",
        merge_tokens,
        "N",
        _ATTENTIONS,
    ),
}

# Options that leave as many operations, with zeros among their weights.
SPARSE = ("sparse-blocks", "sparse-2to4")

# Choices of the tuner, in the order in which they are taken. An option but the default is a word of `--lossy`.
GELU = Choice(
    "gelu",
    ("exact", "gelu-tanh", "gelu-sigmoid", "gelu-relu"),
    "exact",
    "a GELU by cheaper functions; how far it goes is measured",
)
HEADS = Choice(
    "heads",
    ("all", "prune-heads=0.125", "prune-heads=0.25", "prune-heads=0.5"),
    "all",
    "heads that others make up for are not computed",
)
HIDDEN = Choice(
    "hidden",
    ("all", "prune-mlp=0.25", "prune-mlp=0.5", "prune-mlp=0.75"),
    "all",
    "hidden channels that others make up for are not computed",
)
TOKENS = Choice(
    "tokens",
    ("all", "fuse-tokens=0.3", "fuse-tokens=0.5", "fuse-tokens=0.7", "merge-tokens=0.2", "merge-tokens=0.4"),
    "all",
    "later layers compute for fewer tokens",
)  # fmt: skip
WIDTH = Choice(
    "width",
    ("all", "slice-width=0.125", "slice-width=0.25", "slice-width=0.5"),
    "all",
    "directions that the layer norms hardly see are not carried along",
)
ZEROS = Choice(
    "zeros",
    ("none", "sparse-blocks=0.5", "sparse-blocks=0.5:4", "sparse-blocks=0.7:4"),
    "none",
    "kernels of firmware skip blocks of zeros",
)
LOSSY_CHOICES = (HEADS, HIDDEN, WIDTH, ZEROS, TOKENS, GELU)


def lossy_choices(pictures: bool, firmware: bool) -> tuple[Choice, ...]:
    """Return the lossy choices; those that are made on calibration pictures only with some.

    Zeros are for firmware alone: elsewhere they change no time.
    """
    return tuple(
        choice
        for choice in LOSSY_CHOICES
        if (pictures or not OPTIONS[choice.options[-1].partition("=")[0]].calibrated)
        and (firmware or choice is not ZEROS)
    )
