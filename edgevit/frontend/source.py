"""Result of `resolve`: a PyTorch module, ready to be captured, and the known facts about its
input.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from edgevit.graph.head import SplitProgram

MOST_UNIT = 2.0  # no mean or deviation of pixels from 0 to 1 is larger


@dataclass(frozen=True)
class Preprocess:
    """Preprocessing of 8-bit RGB pixels to the tensor that the model expects: `(pixel / 255 - mean)
    / std`.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: tuple[int, int]  # height, width of the tensor the model sees
    crop_pct: float = 1.0
    interpolation: str = "bicubic"
    channel_order: str = "rgb"  # or "bgr": how the tensor's channels are ordered
    # The whole picture lies in the middle, and round it is a grey of 0 to 255. None: the picture fills the size.
    border: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "mean": list(self.mean),
            "std": list(self.std),
            "size": list(self.size),
            "crop_pct": self.crop_pct,
            "interpolation": self.interpolation,
            "channel_order": self.channel_order,
            "range": [0, 255],
            **({} if self.border is None else {"border": self.border}),
        }

    def why_not(self, channels: int) -> str:
        """Return why it cannot be applied to a picture of that many channels; empty where it
        can.
        """
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if len(numbers) != channels:
                return f"{name} has {len(numbers)} values for {channels} channels"
            if not all(map(math.isfinite, numbers)):
                return f"{name} is {', '.join(map(str, numbers))}"
        if min(self.std) < 1e-6:
            return f"std is {', '.join(map(str, self.std))}: pixels are divided by it"
        if max(*self.mean, *self.std) > MOST_UNIT:
            return "mean and std are of pixels from 0 to 255, and pixels are divided by 255 first"
        if min(self.size) < 1:
            return f"the size is {self.size[0]}x{self.size[1]}"
        if not 0.05 <= self.crop_pct <= 2:
            return f"crop_pct is {self.crop_pct}; 0.05 to 2 are taken"
        return ""


AS_BUILT = "as built"


@dataclass(frozen=True)
class KeptBuffers:
    """Buffers of a model that are inputs and outputs of what is exported, with their first values."""

    paths: tuple[str, ...]
    initial: tuple[torch.Tensor, ...]  # as the model has them

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(path.replace(".", "_") for path in self.paths)

    @property
    def inputs(self) -> tuple[torch.Tensor, ...]:
        """Return the first values as a batch of one, which firmware asks of every input."""
        return tuple(x if x.dim() and len(x) == 1 else x[None] for x in self.initial)


@dataclass(frozen=True)
class ModelSource:
    """A model in eval mode and one set of example inputs that it accepts positionally."""

    spec: str
    name: str
    module: torch.nn.Module
    inputs: tuple[torch.Tensor, ...]
    input_names: tuple[str, ...]
    origin: str  # where the model came from, with its version: "timm 1.0.31", a file path
    weights: str  # "random (seed 0)", "pretrained", or the path they were read from
    preprocess: Preprocess | None = None
    labels: tuple[str, ...] = ()
    exported: torch.export.ExportedProgram | None = None  # set when the spec was a .pt2 file
    output_names: tuple[str, ...] = ()  # empty where the model does not name its outputs
    native_size: tuple[int, int] | None = None  # the input size its authors state, for hints
    live: bool = False  # an object of the caller's, which its spec names and does not lead to
    structure: Any = None  # pytree of (arguments by position, by keyword), if a caller gave inputs
    notes: tuple[str, ...] = ()  # how what is exported differs from what the caller has
    chosen_weights: str | None = None  # `pretrained` or `random`, where the user chose none
    split: SplitProgram | None = None  # the head is host code, and `module` ends before it
    kept: KeptBuffers | None = None  # further inputs and outputs, the last of each
    takes_pixels: bool = False  # 0-255, its preprocessing being part of `module`

    @property
    def kept_count(self) -> int:
        """Return how many kept buffers there are among the inputs, and among the outputs."""
        return len(self.kept.paths) if self.kept else 0

    @property
    def is_trained(self) -> bool:
        """Check for weights that were read: a user's own module may have either kind."""
        return self.weights != AS_BUILT and not self.weights.startswith("random")
