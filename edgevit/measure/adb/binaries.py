"""Benchmark programs of the backends for phones."""

from __future__ import annotations

from edgevit.backends import DeviceBinary
from edgevit.support.backend_info import BACKENDS


def device_binaries() -> dict[str, DeviceBinary]:
    """Map formats to their benchmark programs."""
    places = {name: info.device_binary for name, info in BACKENDS.items()}
    return {name: BACKENDS[name].part(place) for name, place in places.items() if place}
