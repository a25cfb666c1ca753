"""Packing of a product's right side as its rows are made: an operation of its own in a plan.

The value is kept only in this form.

matmul(a, b)   ->   matmul(a, pack(b))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from edgevit.backends.mcu.kernels.card import (  # fmt: skip
    Card,
    FirstRow,
    Input,
    Output,
    Scratch,
    Steps,
    Tile,
    whole,
)
from edgevit.integer import IntegerGraph, Op, Value
from edgevit.integer.ops.products import MatMul


@dataclass(frozen=True, eq=False)
class Pack(Op):
    """Values of `b`, in the order and with the sums that the kernel of `product` reads."""

    kind: ClassVar[str] = "pack"
    product: MatMul

    def check(self) -> None: ...

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        return inputs[0]


@dataclass(frozen=True, eq=False)
class Packed(Op):
    """Product with its right side packed."""

    kind: ClassVar[str] = "matmul"
    product: MatMul

    def check(self) -> None: ...

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        return self.product.run(*inputs)

    def macs(self) -> int:
        return self.product.macs()

    def settings(self) -> str:
        return self.product.settings()


def pack_right_sides(graph: IntegerGraph, cards: dict[str, Card]) -> tuple[IntegerGraph, dict[str, Card]]:  # fmt: skip
    """Pack the right sides of single products; products of stacks pack as they run."""
    ops: list[Op] = []
    cards = dict(cards)
    for op in graph.ops:
        if not isinstance(op, MatMul) or op.output.shape[0] > 1:
            ops.append(op)
            continue
        card = cards[op.name]
        packed = _packed_value(op, card)
        ops.append(Pack((op.inputs[1],), packed, op, origin=op.origin))
        ops.append(Packed((op.inputs[0], packed), op.output, op, origin=op.origin))
        cards[packed.name] = replace(
            card, steps=_pack_steps(card), scratch=_none, in_place=False, wider=None
        )
        wider = _of_packed(card.wider) if card.wider else None
        cards[op.name] = replace(_of_packed(card), wider=wider)
    return replace(graph, ops=tuple(ops)), cards


def _of_packed(card: Card) -> Card:
    return replace(card, steps=_product_steps(card), scratch=_product_scratch(card))


def _packed_bytes(op: MatMul, card: Card) -> int:
    """Return the offset at which the product's own scratch begins."""
    own = card.steps(op, whole(op)).calls[1].arguments[-1]
    assert isinstance(own, Scratch)
    return own.offset


def _packed_value(op: MatMul, card: Card) -> Value:
    """Return the packed value: as many rows as the right side, with room for the packed bytes."""
    rows = op.inputs[1].rows
    return Value(f"{op.name}.packed", (rows, -(-_packed_bytes(op, card) // rows)))


def _pack_steps(card: Card) -> Callable[[Pack, Tile], Steps]:
    def steps(op: Pack, tile: Tile) -> Steps:
        pack = card.steps(op.product, whole(op.product)).calls[0]
        return Steps((replace(pack, arguments=(Input(0), FirstRow(), tile.rows, Output())),))

    return steps


def _product_steps(card: Card) -> Callable[[Packed, Tile], Steps]:
    def steps(op: Packed, tile: Tile) -> Steps:
        call = card.steps(op.product, tile).calls[1]
        a, _, y, rows, _ = call.arguments
        return Steps((replace(call, arguments=(a, Input(1), y, rows, Scratch())),))

    return steps


def _product_scratch(card: Card) -> Callable[[Packed], int]:
    def scratch(op: Packed) -> int:
        return card.scratch(op.product) - _packed_bytes(op.product, card)

    return scratch


def _none(_: Op) -> int:
    return 0
