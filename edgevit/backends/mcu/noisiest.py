"""Which values a failed firmware owes to: by their signal to quantisation noise, with the lines they come from."""

from __future__ import annotations

from typing import Any

_SHOWN = 3


def noisiest(told: object) -> tuple[str, ...]:
    """Return a note for each, from the details of an export; of a folder that tells nothing, none."""
    report = told.get("quantization") if isinstance(told, dict) else None
    if not isinstance(report, dict):
        return ()
    lost, worst = report.get("lost_at"), report.get("worst")
    first = [f"the signal is lost at {_place(lost)}"] if isinstance(lost, dict) else []
    values = worst[:_SHOWN] if isinstance(worst, list) else []
    return (*first, *(f"least signal to noise: {_place(v)}" for v in values if isinstance(v, dict)))


def _place(value: dict[str, Any]) -> str:
    where = "  ".join(str(value[part]) for part in ("module", "source") if value.get(part))
    clipped = float(value.get("clipped", 0))
    ends = f", {clipped:.0%} at an end of its grid" if clipped >= 0.01 else ""
    decibels = float(value.get("decibels", 0))
    return f"`{value.get('call')}` {value.get('name')} ({decibels:.1f} dB{ends})   {where}".rstrip()
