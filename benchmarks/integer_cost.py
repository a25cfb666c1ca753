"""What integers cost an export of several formats in one call, against the same formats in floats: CPU seconds.

    python benchmarks/integer_cost.py [--formats F,...] [--size N] [--runs N] [--together] [NET ...]

Nets are timm's, or `zoo:NAME`, with random weights and 32 generated inputs to calibrate on. Whole processes by turns, or
`--together` at the same time: CPU seconds are longer where a host is busy, and so they are for both.
On one thread: those that wait for a busy host's cores count as CPU seconds too. The promise is at most x1.5.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from export_cost import measure

MOST = 1.5
NETS = ("shvit_s1", "deit_tiny_patch16_224")
INTEGERS = ("--precision", "int8", "--calibrate", "generated")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("nets", nargs="*", default=NETS)
    parser.add_argument("--formats", default="onnx,tflite,executorch,tvm")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--together", action="store_true", help="both at the same time")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    print(f"| net at {options.size} | fp32 CPU s | int8 CPU s | ratio |\n|---|--:|--:|--:|")
    ratios: list[float] = []
    for net in options.nets:
        floats, integers = zip(
            *(
                both(net, options.formats, options.size, 1 + options.together)
                for _ in range(options.runs)
            ),
            strict=True,
        )
        before, after = statistics.median(floats), statistics.median(integers)
        ratios.append(after / before)
        print(f"| {net} | {before:.1f} | {after:.1f} | {after / before:.2f} |", flush=True)
    return any(ratio > MOST for ratio in ratios)


def both(net: str, formats: str, size: int, processes: int) -> tuple[float, float]:
    with ThreadPoolExecutor(processes) as pool:
        floats, integers = pool.map(partial(cost, net, formats, size), ((), INTEGERS))
    return floats, integers


def cost(net: str, formats: str, size: int, options: tuple[str, ...]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        words = ["-m", "edgevit", "export", "--quiet", "--target", "linux-x86", "--format", formats]
        if net.startswith("zoo:"):  # of one size
            words += [net]
        else:
            words += [f"timm:{net}", "--weights", "random", "--input-size", str(size)]
        return measure([*words, *options, "-o", f"{folder}/out"]).cpu_seconds


if __name__ == "__main__":
    sys.exit(main())
