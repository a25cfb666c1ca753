"""Writes at places that an index names, as products, choices and gathers: rules for runtimes that have no such write."""

from edgevit.rewrites.expand_scatter.rule import ExpandScatter

__all__ = ["ExpandScatter"]
