"""Sinking of permutes over a whole program, until they cancel."""

from edgevit.rewrites.layout.sink_permute.rule import SinkPermute

__all__ = ["SinkPermute"]
