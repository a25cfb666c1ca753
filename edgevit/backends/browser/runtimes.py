"""Names of the runtimes in the page, as its scripts know them."""

from __future__ import annotations

CPU, GPU = ("ort-wasm", "litert-wasm"), ("ort-webgpu", "litert-webgpu")
RUNTIMES = (*CPU, *GPU)
DEFAULT = "litert-wasm"
