"""Permutes are pushed down until they cancel, over a whole program."""

from edgevit.rewrites.layout.sink_permute.rule import SinkPermute

__all__ = ["SinkPermute"]
