"""The image comes in rows, as the camera delivers them: an operation of its own in a plan, that no call makes.

Nobody has to have the image whole. Where one loop reads it, it is streamed like any other value, and a ring holds what a
window reaches back to; where more need it, it is kept. It comes once only.
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
from edgevit.integer.graph import IntegerGraph, Op, Value


@dataclass(frozen=True, eq=False)
class Intake(Op):
    """The rows of an input that are there so far."""

    kind: ClassVar[str] = "intake"
    once: ClassVar[bool] = True

    def check(self) -> None: ...

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        return inputs[0]


def prepared(graph: IntegerGraph, core: Core) -> tuple[Net, dict[str, Card]]:
    """As loops are made of it: right sides of products packed, the image taken in by rows."""
    packed, cards = pack_right_sides(graph, cards_of(graph, core))
    if len(packed.inputs) != 1:
        return Net.of(packed), cards
    (image,) = packed.inputs
    cards[image.name] = Card("", Intake, "plain", (), _no_calls)
    net = Net.of(replace(packed, ops=(Intake((), image), *packed.ops)))
    return replace(net, graph=packed), cards


def pushed_rows(image: Value) -> int:
    """How many rows an image is pushed in; anything else that is not an image has its vectors for rows."""
    return image.shape[0] if len(image.shape) > 1 else 1


def _no_calls(op: Op, tile: Tile) -> Steps:
    return Steps(())
