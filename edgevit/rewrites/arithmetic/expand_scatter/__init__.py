"""Indexed writes as products, choices and gathers: rules for runtimes that have no such write."""

from edgevit.rewrites.arithmetic.expand_scatter.rule import ExpandScatter

__all__ = ["ExpandScatter"]
