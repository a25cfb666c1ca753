"""Image received by rows, as the camera delivers them: an operation of a plan without a call.

The image need not be in memory as a whole. If one loop reads it, it is streamed like any other
value, and a ring holds the rows that a window reaches back to. If several loops read it, it is
kept. It is delivered only once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from edgevit.backends.mcu.cores import Core
from edgevit.backends.mcu.kernels.card import Card, Steps, Tile
from edgevit.backends.mcu.schedule.cards import cards_of
from edgevit.backends.mcu.schedule.loops import Net
from edgevit.backends.mcu.schedule.packing import pack_right_sides
from edgevit.integer import IntegerGraph, Op, Value


@dataclass(frozen=True, eq=False)
class ArrivingRows(Op):
    """Rows of an input that have arrived so far."""

    kind: ClassVar[str] = "image_input"
    single_pass: ClassVar[bool] = True

    def check(self) -> None: ...

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        return inputs[0]


def prepared(graph: IntegerGraph, core: Core) -> tuple[Net, dict[str, Card]]:
    """Return the net and the cards that loops are made from.

    Right sides of products are packed, and the image is taken in by rows.
    """
    packed, cards = pack_right_sides(graph, cards_of(graph, core))
    if len(packed.passed_inputs) != 1:
        return Net.of(packed, core.value_products), cards
    (image,) = packed.passed_inputs
    cards[image.name] = Card("", ArrivingRows, "plain", (), _no_calls)
    arriving = replace(packed, ops=(ArrivingRows((), image), *packed.ops))
    return replace(Net.of(arriving, core.value_products), graph=packed), cards


def pushed_rows(image: Value) -> int:
    """Return how many rows an input is pushed in; without an image, its vectors are the rows."""
    return image.shape[0] if len(image.shape) > 1 else 1


def _no_calls(op: Op, tile: Tile) -> Steps:
    return Steps(())
