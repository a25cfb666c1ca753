"""What a caller passes as a model: the model itself, its example inputs and its options."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch

from edgevit.frontend.live.source import live_spec
from edgevit.frontend.options import ModelOptions
from edgevit.frontend.rebuild import build_source
from edgevit.frontend.source import ModelSource
from edgevit.targets import Target

Model: TypeAlias = (
    str | os.PathLike[str] | torch.nn.Module | torch.export.ExportedProgram | Callable[..., object]
)
ExampleInputs: TypeAlias = torch.Tensor | Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True)
class ModelArguments:
    model: Model
    example_inputs: ExampleInputs | None = None
    options: ModelOptions = field(default_factory=ModelOptions)

    @property
    def spec(self) -> str:
        """The spec, or the name of a live model."""
        if isinstance(self.model, str | os.PathLike):
            return os.fspath(self.model)
        return live_spec(self.model)

    @property
    def from_python(self) -> bool:
        """Whether a command line cannot say it: objects are a caller's."""
        is_spec = isinstance(self.model, str | os.PathLike)
        return not is_spec or self.example_inputs is not None

    def build(self, target: Target | None) -> ModelSource:
        options = vars(self.options.on(target))
        return build_source(self.model, self.example_inputs, **options)
