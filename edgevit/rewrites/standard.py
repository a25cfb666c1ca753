"""Rules that are right for every target, in order."""

from __future__ import annotations

from edgevit.rewrites.arithmetic.drop_identity import DropIdentity
from edgevit.rewrites.arithmetic.expand_fft import ExpandFft
from edgevit.rewrites.arithmetic.fold_constants import FoldConstants
from edgevit.rewrites.arithmetic.promote_integers import PromoteIntegers
from edgevit.rewrites.convolutions.add_batch import AddBatch
from edgevit.rewrites.convolutions.collapse_linear import CollapseLinear
from edgevit.rewrites.convolutions.number_padding import NumberPadding
from edgevit.rewrites.layout.merge_reshapes import MergeReshapes
from edgevit.rewrites.layout.name_shapes import NameShapes
from edgevit.rewrites.norms.restore_batch_norm import RestoreBatchNorm
from edgevit.rewrites.norms.split_affine import SplitAffine
from edgevit.rewrites.pools_and_padding.clip_window import ClipWindow
from edgevit.rewrites.pools_and_padding.expand_adaptive_max import ExpandAdaptivePlaces
from edgevit.rewrites.rule import AnyRule

STANDARD: tuple[AnyRule, ...] = (
    FoldConstants(),  # complex ones too: what is left of them is arithmetic
    ExpandFft(),  # no converter takes complex numbers whole
    ExpandAdaptivePlaces(),  # no converter gives them
    NameShapes(),
    PromoteIntegers(),
    NumberPadding(),
    AddBatch(),
    ClipWindow(),
    RestoreBatchNorm(),
    DropIdentity(),
    FoldConstants(),
    SplitAffine(),
    CollapseLinear(),
    MergeReshapes(),
)
