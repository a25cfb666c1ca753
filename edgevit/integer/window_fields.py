"""Bounds of a window: the sizes that the kernels' fields hold."""

from __future__ import annotations

from collections.abc import Sequence

from edgevit.graph.window import Window
from edgevit.integer.graph import require_within


def require_fits(window: Window, image: Sequence[int], output: Sequence[int]) -> None:
    """Raise `OverflowingOperationError` for what the kernels' fields do not hold."""
    for size in (*image, output[1]):
        require_within(size, "rows, columns or channels of an image")
    for size in window.size:
        require_within(size, "taps of a window")
    bytes_of = {"stride": window.stride, "dilation": window.dilation, "padding": window.padding[:2]}
    for what, sizes in bytes_of.items():
        require_within(max(sizes), f"the {what} of a window", 255)
