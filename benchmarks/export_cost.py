"""What a checked export costs against a bare conversion: wall time and peak memory of whole processes, interleaved.

python benchmarks/export_cost.py [--runs N] [NET ...]      (`make bench`)

Ours resolves, makes the weights live, captures, rewrites with a proof for every rule, converts, saves at two
precisions, reads back and interprets both; bare is `bare.py`. Prints the ratio of each pair of runs.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

FIVE = ("shvit_s1", "deit_tiny_patch16_224", "fastvit_t8", "mobilevit_xxs", "convnext_atto")
BARE = Path(__file__).with_name("bare.py")


@dataclass(frozen=True)
class Cost:
    seconds: float
    peak_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nets", nargs="*", default=FIVE)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print(
        f"{'net':<26} {'bare s':>8} {'ours s':>8} {'ratio':>6} {'bare MB':>8} {'ours MB':>8} {'ratio':>6}"
    )
    time_ratios, memory_ratios = [], []
    with tempfile.TemporaryDirectory() as folder:
        for net in options.nets:
            pairs = [pair(net, Path(folder)) for _ in range(options.runs)]
            seconds = statistics.median(ours.seconds / bare.seconds for bare, ours in pairs)
            memory = statistics.median(ours.peak_mb / bare.peak_mb for bare, ours in pairs)
            bare, ours = (
                Cost(
                    statistics.median(p[side].seconds for p in pairs),
                    statistics.median(p[side].peak_mb for p in pairs),
                )
                for side in (0, 1)
            )
            print(
                f"{net:<26} {bare.seconds:8.1f} {ours.seconds:8.1f} {seconds:6.2f} "
                f"{bare.peak_mb:8.0f} {ours.peak_mb:8.0f} {memory:6.2f}",
                flush=True,
            )
            time_ratios.append(seconds)
            memory_ratios.append(memory)
    print(
        f"median of {len(options.nets)} nets, {options.runs} interleaved runs: "
        f"time x{statistics.median(time_ratios):.2f}, peak memory x{statistics.median(memory_ratios):.2f}"
    )


def pair(net: str, folder: Path) -> tuple[Cost, Cost]:
    bare = measure([str(BARE), net, str(folder / "bare.mlpackage")])
    ours = measure(
        [
            "-m",
            "edgevit",
            "export",
            f"timm:{net}",
            "--target",
            "iphone",
            "--quiet",
            "-o",
            str(folder / "ours"),
        ]
    )
    shutil.rmtree(folder / "bare.mlpackage")
    return bare, ours


def measure(arguments: list[str]) -> Cost:
    """Wall time and the child's own high-water mark, which `wait4` reports for that process alone."""
    started = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    usage = wait(child)
    if child.returncode:
        raise SystemExit(f"{' '.join(arguments)} exited with {child.returncode}")
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return Cost(time.perf_counter() - started, usage.ru_maxrss / unit)


def wait(child: subprocess.Popen[bytes]) -> resource.struct_rusage:
    import os

    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return usage


if __name__ == "__main__":
    main()
