"""Buffers of states, which lie in the arena between calls too."""

from __future__ import annotations

from edgevit.backends.mcu.schedule.memory import Buffer
from edgevit.integer import IntegerGraph

STATE_MARK = "states:mark"  # a word that says that the states are there
_MARK_BYTES = 4


def state_buffers(graph: IntegerGraph, loops: int) -> list[Buffer]:
    """Return the buffers of states and of the mark beside them, which no other value ever overlaps."""
    states = [Buffer(state.name, state.bytes, 0, loops) for state in graph.state_inputs]
    return [Buffer(STATE_MARK, _MARK_BYTES, 0, loops), *states] if states else []
