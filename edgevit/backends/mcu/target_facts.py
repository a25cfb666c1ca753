"""Facts of a target that firmware needs."""

from __future__ import annotations

from edgevit.targets import CODE_MEMORY, DATA_RAM, Target


def missing(target: Target) -> tuple[str, str] | None:
    """Return the key that the target's file lacks, and why it is needed."""
    if target.cpu is None:
        return "cpu", "its instruction set decides which kernels are used"
    kinds = {region.kind for region in target.regions}
    for use, memory in (("data", DATA_RAM), ("code", CODE_MEMORY)):
        if not kinds.intersection(memory):
            return "region", f"the linker needs a region for {use}: {', '.join(memory)}"
    return None
