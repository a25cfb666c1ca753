"""Recursion whose depth is that of the data, not of Python's stack.

def depth(tree) -> Steps[int]:
    below = yield depth(tree.left)      # where a recursive function would call itself
    return below + 1

finished(depth(tree))
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

T = TypeVar("T")
Steps = Generator["Steps[Any]", Any, T]


def finished(steps: Steps[T]) -> T:
    """Return what `steps` does, with every call that it yields run in its place."""
    calls: list[Steps[Any]] = [steps]
    result: Any = None
    while calls:
        try:
            calls.append(calls[-1].send(result))
            result = None
        except StopIteration as end:
            calls.pop()
            result = end.value
    return result
