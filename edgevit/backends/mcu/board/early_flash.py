"""Refusal of a model whose weights alone do not fit the flash, before anything is calibrated."""

from __future__ import annotations

from collections.abc import Mapping

from edgevit.backends.mcu.options import OPTIONS
from edgevit.errors import MemoryLimitError
from edgevit.support.backend_options import BackendOptions
from edgevit.targets import CODE_MEMORY, Target

_IN_FLASH = ("c", "object", "binary")  # of --weights-as: elsewhere they take memory unknown here
_SHOWN = 3


def require_flash(
    weights: Mapping[str, int], target: Target, options: BackendOptions | None, share: float
) -> None:
    """Refuse weights of which `share` does not fit in one region. `weights`: how many, by name."""
    sizes = [region.size for region in target.regions if region.kind in CODE_MEMORY]
    count = sum(weights.values())
    if OPTIONS.of(options).weights_as not in _IN_FLASH or share * count <= max(sizes, default=0):
        return
    heaviest = sorted(weights, key=lambda name: -weights[name])[:_SHOWN]
    raise MemoryLimitError(
        f"the weights take {count:,} bytes of flash at 8 bits each, and {max(sizes):,} fit",
        where=target.title,
        why="most in " + ", ".join(f"{name} {weights[name]:,}" for name in heaviest),
        hint="a smaller model, such as zoo:vit-i64-p8-d96-h3-l6, or a target with more flash, "
        "or --weights-as binary@ADDRESS of a memory that edgevit does not know of",
    )
