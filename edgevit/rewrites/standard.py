"""The rules that are right for every target, in order."""

from __future__ import annotations

from edgevit.rewrites.collapse_linear import CollapseLinear
from edgevit.rewrites.drop_identity import DropIdentity
from edgevit.rewrites.fold_constants import FoldConstants
from edgevit.rewrites.rule import Match, Rule

STANDARD: tuple[Rule[Match], ...] = (
    DropIdentity(),
    FoldConstants(),
    CollapseLinear(),  # type: ignore[list-item]  # a rule over its own kind of match
)
