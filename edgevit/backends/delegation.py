"""Part of an artifact that the runtime's accelerated library takes, read from the artifact."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgevit.errors import DelegationError
from edgevit.support.backend_options import Word
from edgevit.support.shape import Flag

# one word of the command line, an option of each backend whose compiler divides the net
REQUIRE_NPU = Word(
    "require_npu",
    Flag(),
    help="Fail if the NPU's compiler leaves an op to the CPU.",
    shared=True,
)


@dataclass(frozen=True)
class Outside:
    """Op that the runtime computes with its plain kernels."""

    op: str
    where: str  # the user's line; "" when the artifact does not tell
    count: int
    bytes: (
        int  # read and written by all of them in one run: what leaving the delegate costs at least
    )


@dataclass(frozen=True)
class Delegation:
    to: str  # "XNNPACK"
    delegates: int  # separate pieces; between two of them values are handed over
    ops_inside: int | None  # None when the artifact does not tell
    outside: tuple[Outside, ...]

    @property
    def ops_outside(self) -> int:
        return sum(o.count for o in self.outside)

    def as_dict(self) -> dict[str, object]:
        return {
            "to": self.to,
            "delegates": self.delegates,
            "ops_inside": self.ops_inside,
            "ops_outside": self.ops_outside,
            "outside": [
                {"op": o.op, "where": o.where, "count": o.count, "bytes": o.bytes}
                for o in self.outside
            ],
        }


def grouped(outside: Iterable[Outside]) -> tuple[Outside, ...]:
    """Merge entries of the same op and place, in order of first appearance."""
    groups: dict[tuple[str, str], Outside] = {}
    for one in outside:
        key = (one.op, one.where)
        before = groups.get(key, Outside(one.op, one.where, 0, 0))
        groups[key] = Outside(*key, before.count + one.count, before.bytes + one.bytes)
    return tuple(groups.values())


def require_all_inside(delegation: Delegation) -> None:
    if not delegation.outside:
        return
    message = (
        f"{delegation.ops_outside} ops stay outside {delegation.to}, which takes the rest in "
        f"{delegation.delegates} pieces"
    )
    raise left_outside(delegation, message, "--require-delegated was given")


def left_outside(delegation: Delegation, message: str, why: str) -> DelegationError:
    """Return the error for a net that was to be taken whole, with the user's lines."""
    return DelegationError(
        message,
        where="\n".join(f"{o.op} x{o.count}   {o.where}" for o in delegation.outside),
        why=why,
        hint="write these lines with other ops, or export without it",
    )
