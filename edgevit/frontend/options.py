"""Options of the frontend, named as on the command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from edgevit.targets import Target


@dataclass(frozen=True)
class ModelOptions:
    """Options to build and feed a model, named as on the command line."""

    weights: str | None = None
    input_size: int | tuple[int, int] | None = None
    batch: int = 1
    seed: int = 0
    trust: bool = False
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    labels: Sequence[str] | None = None
    image_input: bool | None = None  # None: pixels for firmware, else the model's own input
    channels_last: bool = False
    inputs: str | None = None  # NAME=SHAPE:TYPE:N or NAME=FILE.npy, comma-separated
    replace: str | None = None  # MODULE=PACKAGE:CALLABLE, comma-separated
    head: str = "native"  # `split`: what is behind the last product is host code; `keep`: it is told where it leaves the accelerator

    kept_buffers: Sequence[str] = ()  # of --state: further inputs and outputs

    def on(self, target: Target | None) -> ModelOptions:
        """Resolve `image_input` for a target: unless it is stated, only firmware may take
        pixels.
        """
        firmware = target is not None and target.is_microcontroller
        explicit = self.image_input is not None or firmware
        return self if explicit else dataclasses.replace(self, image_input=False)
