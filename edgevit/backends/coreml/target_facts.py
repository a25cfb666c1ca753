"""Facts of a target that Core ML needs."""

from __future__ import annotations

from edgevit.targets import Target


def missing(target: Target) -> tuple[str, str] | None:
    """Return the key that the target's file lacks, and why it is needed."""
    if target.os and target.os.minimum:
        return None
    return "os.minimum", "it decides which Core ML operators may be used"
