"""Rewrites of a program on its way to a page: those that both of its files share."""

from __future__ import annotations

from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.standard import STANDARD

RULES: tuple[AnyRule, ...] = STANDARD
