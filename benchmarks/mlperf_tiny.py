"""MLPerf Tiny's four nets on every core: instructions, arena and flash, beside CMSIS-NN and TFLM.

    python benchmarks/mlperf_tiny.py [--output PAGE]

Weights are random and live, options the defaults. The plan is searched for a Cortex-M4; other cores run it with their
own kernels. The figures of CMSIS-NN and TFLM are not made here: the page says where they are from.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

NETS = {"kws": "KWS, DS-CNN", "ad": "AD, autoencoder", "resnet8": "ResNet-8", "vww": "VWW, MobileNetV1-0.25"}  # fmt: skip
CORES = ("m0plus", "m4", "m7", "m33", "m55", "rv32")
# CMSIS-NN 99f736a by gcc 12.2 -O3, its kernels called layer by layer, no softmax and no padding; millions of instructions
CMSIS_NN = {
    "kws": {"m0plus": 24.5, "m4": 7.84, "m55": 1.78},
    "ad": {"m0plus": 1.69, "m4": 0.579, "m55": 0.147},
    "resnet8": {"m0plus": 90.6, "m4": 29.8, "m55": 4.80},
    "vww": {"m0plus": 72.9, "m4": 24.7, "m55": 6.42},
}
TFLM_ARENAS = {"kws": 24_064, "ad": 16_600, "resnet8": 67_072, "vww": 103_424}


def edgevit(*words: str) -> Any:
    """Run a command and return its JSON."""
    command = [sys.executable, "-m", "edgevit", *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def runs_of(net: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        output = str(Path(folder) / "net")
        edgevit("export", f"zoo:{net}", "--target", "qemu-m4", "-o", output)
        runs = {core: edgevit("run", output, "--core", core, "--trust") for core in CORES}
    for core, run in runs.items():
        assert run["golden_match"], f"{net} on {core} is not the integer model"
    return runs


def page(runs: dict[str, dict[str, Any]]) -> list[str]:
    lines = [
        "# MLPerf Tiny",
        "",
        "By `python benchmarks/mlperf_tiny.py --output docs/mlperf-tiny.md`: the four nets by their published definitions, softmax and Keras's padding",
        "included (`edgevit export zoo:kws --target qemu-m4`, `zoo:ad`, `zoo:resnet8`, `zoo:vww`). Weights are random and live; instructions do not",
        "depend on them. `emulated`: exact counts of the whole net, golden outputs equal bit for bit.",
        "",
        "| net | core | M instructions | CMSIS-NN | ratio |",
        "|---|---|--:|--:|--:|",
    ]
    for net, title in NETS.items():
        for core in CORES:
            ours, theirs = runs[net][core]["instructions"] / 1e6, CMSIS_NN[net].get(core)
            beside = f"{theirs} | {ours / theirs:.2f}" if theirs else " | "
            lines.append(f"| {title} | {core} | {ours:.3f} | {beside} |")
    lines += [
        "",
        "CMSIS-NN: its kernels called layer by layer on the same emulator, gcc 12.2 -O3, commit 99f736a (2026-07-15); without an interpreter,",
        "softmax or padding, which flatters it. Measured in November 2026, not by this repository.",
        "",
        "| net | arena, bytes | RAM with the stack | flash on a Cortex-M4 | TFLM's arena | ratio |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for net, title in NETS.items():
        memory = runs[net]["m4"]["memory"]
        arena, theirs = memory["arena_bytes"], TFLM_ARENAS[net]
        lines.append(
            f"| {title} | {arena:,} | {memory['ram_bytes']:,} | {memory['flash_bytes']:,} | {theirs:,} | {arena / theirs:.2f} |"
        )
    return [
        *lines,
        "",
        "TFLM: tflite-micro 0.dev20261023 with int8 models by AI Edge Quantizer, on a host with 64-bit pointers; measured in November 2026,",
        "not by this repository.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    text = "\n".join(page({net: runs_of(net) for net in NETS})) + "\n"
    print(text)
    if options.output:
        options.output.write_text(text)


if __name__ == "__main__":
    main()
