"""How a model is asked for, in the words of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgevit.targets import Target


@dataclass(frozen=True)
class ModelOptions:
    """How the model is built and fed; the same words on the command line."""

    weights: str | None = None
    input_size: int | tuple[int, int] | None = None
    batch: int = 1
    seed: int = 0
    trust: bool = False
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    labels: Sequence[str] | None = None
    image_input: bool | None = None  # None: firmware takes pixels, all else what the model takes
    channels_last: bool = False

    def on(self, target: Target | None) -> ModelOptions:
        """What `build_source` is to be told."""
        firmware = target is not None and target.is_microcontroller
        settled = self.image_input is not None or firmware
        return self if settled else replace(self, image_input=False)
