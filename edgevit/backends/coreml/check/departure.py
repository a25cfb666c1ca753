"""First operation of a package whose result departs from the reference.

Two runs are compared value by value while they stream, so memory stays that of the runs themselves.
The reference is either values of the original model by name, or the same package in fp32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from edgevit.backends.coreml.check.interpret import Precision, steps
from edgevit.backends.coreml.check.program import Function, MilPackage

Reference = Mapping[str, Tensor] | Callable[[str], Tensor | None]

# What the converter's precision pass appends to the name of the value it replaces.
SUFFIXES = ("_cast_fp16", "_cast_fp32", "_to_fp16", "_to_fp32")


@dataclass(frozen=True)
class Difference:
    op: str
    value: str
    rel_l2: float
    cosine: float
    max_abs: float


@dataclass(frozen=True)
class Departure:
    """First departing operation, and the nearest values before it.

    `after` are the nearest earlier values that were compared and agreed; `before` is their worst
    error.
    """

    op: str
    value: str
    rel_l2: float
    cosine: float
    max_abs: float
    after: tuple[str, ...]
    before: float

    def __str__(self) -> str:
        sources = ", ".join(f"`{name}`" for name in self.after) or "the inputs"
        return (
            f"{self.op} `{self.value}` departs: relative L2 {self.rel_l2:.2e}, cosine {self.cosine:.6f}, "
            f"largest difference {self.max_abs:.2e}; {sources} before it agreed to {self.before:.1e}"
        )


def first_departure(
    package: MilPackage,
    inputs: Mapping[str, Tensor],
    reference: Reference,
    *,
    precision: Precision = "fp32",
    tolerance: float = 1e-2,
) -> Departure | None:
    """Return the first departure from values of the original model.

    Values without a reference of their shape are skipped.
    """
    differences = list(against_reference(package, inputs, reference, precision))
    return first_of(package.main, differences, tolerance)


def first_fp16_departure(
    package: MilPackage, inputs: Mapping[str, Tensor], *, tolerance: float = 1e-2
) -> Departure | None:
    """Return the first departure of the fp16 run from the fp32 run of the same package."""
    return first_of(package.main, list(against_fp32(package, inputs)), tolerance)


def against_reference(
    package: MilPackage,
    inputs: Mapping[str, Tensor],
    reference: Reference,
    precision: Precision = "fp32",
) -> Iterator[Difference]:
    look_up = reference if callable(reference) else reference.get
    for step in steps(package, inputs, precision):
        for name, value in step.tensors():
            expected = named(name, look_up)
            if expected is not None and expected.shape == value.shape:
                yield difference(step.op.kind, name, value, expected)


def against_fp32(package: MilPackage, inputs: Mapping[str, Tensor]) -> Iterator[Difference]:
    """Yield the differences of an fp16 and an fp32 run in lock-step.

    Both take the same steps unless one meets an operation it cannot run; the comparison ends there.
    """
    for half, full in zip(
        steps(package, inputs, "fp16"), steps(package, inputs, "fp32"), strict=False
    ):
        if half.op is not full.op:
            return
        expected = dict(full.tensors())
        for name, value in half.tensors():
            if name in expected:
                yield difference(half.op.kind, name, value, expected[name])


def named(name: str, look_up: Callable[[str], Tensor | None]) -> Tensor | None:
    """Look up the reference by the value's name, or by its name before the precision pass."""
    tensor = look_up(name)
    while tensor is None:
        suffix = next((s for s in SUFFIXES if name.endswith(s)), None)
        if suffix is None:
            return None
        name = name.removesuffix(suffix)
        tensor = look_up(name)
    return tensor


def difference(op: str, name: str, value: Tensor, expected: Tensor) -> Difference:
    """Return the errors of a value against its reference.

    Infinities and NaN in the same places are agreement; anywhere else the error is infinite.
    """
    a, b = value.detach().double().reshape(-1), expected.detach().double().reshape(-1)
    if not (a.isfinite().all() and b.isfinite().all()):
        both = a.isfinite() & b.isfinite()
        same = (a == b) | (a.isnan() & b.isnan()) | both
        if not same.all():
            return Difference(op, name, torch.inf, 0.0, torch.inf)
        a, b = a[both], b[both]
    if a.numel() == 0 or torch.equal(a, b):
        return Difference(op, name, 0.0, 1.0, 0.0)
    gap, size = (a - b), float(b.norm())
    rel_l2 = float(gap.norm()) / size if size else torch.inf
    cosine = float(torch.dot(a, b)) / max(float(a.norm()) * size, 1e-300)
    return Difference(op, name, rel_l2, cosine, float(gap.abs().max()))


def first_of(main: Function, differences: list[Difference], tolerance: float) -> Departure | None:
    """Return the first departing value with only agreeing values before it.

    A value that departs while everything computed from it agrees carries the name of another value
    of the model, because the converter also numbers its own values. It is not a departure and is
    skipped.
    """
    by_value = {d.value: d for d in differences}
    bad = {d.value for d in differences if not d.rel_l2 <= tolerance}
    makers, readers = links(main)
    for this in differences:
        if this.value not in bad:
            continue
        after = nearest(this.value, makers, by_value)
        later = nearest(this.value, readers, by_value)
        if later and this.value not in main.outputs and not bad & set(later):
            bad.discard(this.value)
        elif not bad & set(after):
            before = max((by_value[name].rel_l2 for name in after if name in by_value), default=0.0)
            return Departure(
                this.op, this.value, this.rel_l2, this.cosine, this.max_abs, after, before
            )
    return None


Links = Mapping[str, tuple[str, ...]]


def links(main: Function) -> tuple[Links, Links]:
    """Map each value to the values it is computed from, and to the values computed from it."""
    makers: dict[str, tuple[str, ...]] = {}
    readers: dict[str, tuple[str, ...]] = {}
    for op in main.operations:
        names = tuple(out.name for out in op.outputs)
        sources = tuple(dict.fromkeys(name for name in op.reads() if name not in main.constants))
        makers |= dict.fromkeys(names, sources)
        for source in sources:
            readers[source] = readers.get(source, ()) + names
    return makers, readers


def nearest(start: str, edges: Links, compared: Iterable[str]) -> tuple[str, ...]:
    """Return the closest known values in one direction, searching through the unknown ones."""
    names: dict[str, None] = {}
    seen, queue = {start}, list(edges.get(start, ()))
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in compared:
            names[name] = None
        else:
            queue.extend(edges.get(name, ()))
    return tuple(names)
