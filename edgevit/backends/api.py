"""Interface that every backend implements, and the lookup of a backend by its format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FunctionType
from typing import Any, Protocol, runtime_checkable

import torch

from edgevit.backends.artifact import Artifact
from edgevit.backends.own_rounding import float32_rounding, measured_limit
from edgevit.frontend import ModelSource
from edgevit.graph.other_inputs import Other
from edgevit.graph.parity import Distance, Limit, Parity, Ranking
from edgevit.graph.program import Inputs, Program
from edgevit.quantize import GENERATED, Calibration, CalibrationOptions, HeldOut, QuantizedProgram
from edgevit.rewrites.rule import AnyRule
from edgevit.rewrites.variants import Form
from edgevit.support.backend_info import info_of
from edgevit.support.backend_options import BackendOptions
from edgevit.targets import Target


@dataclass(frozen=True)
class Lowering:
    """Input of a backend's lowering: the program, the target and the options that apply to it."""

    program: Program
    source: ModelSource
    target: Target
    precision: str
    directory: Path
    progress: Callable[[str], None]
    image_input: bool = False  # the program takes 0-255 pixels, and the artifact a picture
    channels_last: bool = False
    options: BackendOptions | None = None  # of the type that the backend has; None: it has none
    calibration: CalibrationOptions = GENERATED
    inputs: Calibration | None = None  # calibration inputs; None: not loaded yet
    quantized: QuantizedProgram | None = None  # `program` is its simulation
    at_size: Callable[[int], Lowering] | None = None  # the same model on smaller or larger images


@dataclass(frozen=True)
class Expected:
    """Reference outputs of the model and the inputs they belong to.

    The artifact is compared with them.
    """

    inputs: Inputs
    outputs: tuple[torch.Tensor, ...]
    program: Program | None = None  # to find the first call that departs
    others: tuple[Other, ...] = ()  # the same on inputs of other statistics
    held_out: tuple[HeldOut, ...] = ()  # of a quantised artifact: what it is judged by
    rankings: tuple[Ranking, ...] = ()  # where outputs are in order of a score
    original: Program | None = None  # as it was captured, before any rewrite
    stored_rounding: float = (
        0.0  # of float32 on the inputs, where there is no program to measure it with
    )

    @cached_property
    def rounding(self) -> float:
        """Relative L2 of PyTorch's own rounding in float32, on these inputs."""
        if self.original is None:
            return self.stored_rounding
        return float32_rounding(self.original, self.inputs)

    @property
    def measured_rounding(self) -> float:
        """The rounding where a check had to measure it, else 0."""
        return vars(self).get("rounding", 0.0)

    def limit(self, limit: Limit, apart: Distance, precision: str) -> Limit:
        """Return the limit for a distance: in float32 a wider one where its own rounding needs it."""
        if precision != "fp32" or limit.holds(apart):
            return limit
        return measured_limit(limit, self.rounding)


class Backend(Protocol):
    rules: tuple[AnyRule, ...]
    forms: tuple[Form, ...]  # in which other ways the graph may be written

    def lower(self, request: Lowering) -> Artifact: ...

    def check(self, artifact: Artifact, expected: Expected) -> tuple[Parity, ...]:
        """Run the artifact from disk."""
        ...


class Estimate(Protocol):
    """Resources that a model needs on a device, as text and as JSON."""

    def as_dict(self) -> dict[str, Any]: ...


@runtime_checkable
class Estimating(Protocol):
    """Backend that can estimate before an export what a model needs on a device."""

    def estimate(self, request: Lowering) -> Estimate: ...


@runtime_checkable
class Refining(Protocol):
    """Backend that can compute a part of a program at a higher precision than the rest."""

    def refine(
        self, request: Lowering, artifact: Artifact, expected: Expected, checked: Sequence[Parity]
    ) -> Artifact | None:
        """Lower again what departs, as `checked` says; None where no part would hold the limit."""
        ...


def backend_for(format: str, target: Target | None) -> Backend:
    """Return the backend of a format, fitted to the target where it depends on one."""
    backend = info_of(format).backend_object()
    return backend(target) if isinstance(backend, FunctionType) else backend


def backend_of(format: str) -> Backend:
    """Return the backend of a format for any target."""
    return backend_for(format, None)
