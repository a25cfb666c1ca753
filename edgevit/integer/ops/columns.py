"""Columns of each row by a table of its own: picked, or summed in bins. Positions that are relative are read so.

A table has as many axes as the value, each as long as the value's or of one element; those that are as long lie side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod
from typing import ClassVar

import numpy as np

from edgevit.integer.graph import Op, require, require_within
from edgevit.integer.rounding import requantize

SPREAD = 256  # a sum counts in parts of this many, for a multiplier is below 1/2


@dataclass(frozen=True)
class TableRows:
    """Row `row // repeat % period` of the table is read for each row of the value."""

    repeat: int
    period: int


def table_rows(table: Sequence[int], sizes: Sequence[int]) -> TableRows | None:
    """Return which row of a table is read for which row of a value; None where no such rule tells it."""
    axes = [(t, s) for t, s in zip(table, sizes, strict=True) if s > 1]
    runs = [(one, [s for _, s in run]) for one, run in groupby(axes, lambda axis: axis[0] == 1)]
    if any(t not in (1, s) for t, s in axes) or [one for one, _ in runs].count(False) > 1:
        return None
    period = prod(table)
    after = runs[-1][1] if runs and runs[-1][0] and len(runs) > 1 else []
    return TableRows(prod(after), period)


def _check_table(table: np.ndarray, op: Op, dtypes: Sequence[str]) -> None:
    require(table.dtype.name in dtypes, "the table's type")
    require(op.source.dtype == op.output.dtype == "int8", "8 bits in and out")
    require(op.output.shape[:-1] == op.source.shape[:-1], "the shape of the output")
    require(len(table.shape) == len(op.source.shape), "the axes of the table")
    require_within(op.source.shape[-1], "columns")
    require_within(op.output.shape[-1], "columns")
    require(table_rows(table.shape[:-1], op.source.shape[:-1]) is not None, "the rows of the table")


@dataclass(frozen=True, eq=False)
class Pick(Op):
    """y[r, n] = x[r, index[r, n]]"""

    kind: ClassVar[str] = "pick"
    index: np.ndarray  # uint8 or uint16

    def check(self) -> None:
        x, y = self.source, self.output
        _check_table(self.index, self, ("uint8", "uint16"))
        require((x.scale, x.zero) == (y.scale, y.zero), "the scale")
        require(self.index.shape[-1] == y.shape[-1], "a column of the table for each of the output")
        require(int(self.index.max(initial=0)) < x.shape[-1], "columns that there are")

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        index = np.broadcast_to(self.index, self.output.shape)
        return np.take_along_axis(inputs[0], index.astype(np.int64), -1)

    def constants(self) -> dict[str, np.ndarray]:
        return {"index": self.index}


@dataclass(frozen=True, eq=False)
class BinSum(Op):
    """y[r, d] = requantize(256 * sum(x[r, j] - zero for j in bin d of row r) + bias, multiplier)

    `order` has the columns of a row bin by bin, each once; `ends` has where each bin ends in it.
    """

    kind: ClassVar[str] = "bin_sum"
    order: np.ndarray  # uint8 or uint16
    ends: np.ndarray  # uint16
    zero: int
    bias: int
    multiplier: int

    def check(self) -> None:
        columns = self.source.shape[-1]
        _check_table(self.order, self, ("uint8", "uint16"))
        _check_table(self.ends, self, ("uint16",))
        require(self.order.shape[:-1] == self.ends.shape[:-1], "as many rows of both tables")
        require(self.order.shape[-1] == columns, "each column once")
        require(bool(np.all(np.sort(self.order, -1) == np.arange(columns))), "each column once")
        require(self.ends.shape[-1] == self.output.shape[-1], "an end for each bin")
        require(bool(np.all(np.diff(self.ends.astype(np.int64), axis=-1) >= 0)), "ends that rise")
        require(bool(np.all(self.ends[..., -1] == columns)), "the last end")
        require(-128 <= self.zero <= 127 and 0 < self.multiplier < 2**31, "zero and multiplier")
        reach = columns * 255 * SPREAD + abs(self.bias)
        require(reach < 2**31, "the accumulator overflows")

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        x = inputs[0].astype(np.int64) - self.zero
        lead = x.shape[:-1]
        order, ends = (
            np.broadcast_to(table, (*lead, table.shape[-1])).astype(np.int64)
            for table in (self.order, self.ends)
        )
        sums = np.take_along_axis(x, order, -1).cumsum(-1)
        sums = np.concatenate([np.zeros((*lead, 1), np.int64), sums], -1)
        upto = np.take_along_axis(sums, ends, -1)
        bins = np.diff(upto, axis=-1, prepend=0)
        return requantize(bins * SPREAD + self.bias, self.multiplier)

    def constants(self) -> dict[str, np.ndarray]:
        return {"order": self.order, "ends": self.ends}
