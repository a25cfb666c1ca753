"""What a checked export costs against a bare conversion: wall time and peak memory of whole processes, interleaved.

python benchmarks/export_cost.py [--format F,...] [--runs N] [--output PAGE] [NET ...]      (`make bench`)

Ours resolves, makes the weights live, captures, rewrites and verifies every rule, converts, saves, and runs what it
saved (Core ML: reads it back at two precisions and interprets both); bare is `bare.py`. The ratio is of each pair of
runs. Pairs are kept in out/export_cost/; --resume goes on with them where a run was interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

FIVE = ("shvit_s1", "deit_tiny_patch16_224", "fastvit_t8", "mobilevit_xxs", "convnext_atto")
TARGETS = {
    "coreml": "iphone",
    "executorch": "linux-x86",
    "tflite": "linux-x86",
    "onnx": "linux-x86",
}
NAMES = {"coreml": "Core ML", "executorch": "ExecuTorch", "tflite": "TFLite", "onnx": "ONNX"}
BARE = Path(__file__).with_name("bare.py")
CACHE = Path("out/export_cost")
MOST = 1.5  # the promise: ours may take so many times as long


@dataclass(frozen=True)
class Cost:
    seconds: float
    cpu_seconds: float  # with the workers that ours has waited for
    peak_mb: float


Pair = tuple[Cost, Cost]  # bare, ours


@dataclass(frozen=True)
class Row:
    """Of one net in one format, medians over its pairs."""

    format: str
    net: str
    bare: Cost
    ours: Cost
    ratio: Cost

    def __str__(self) -> str:
        bare, ours, ratio = self.bare, self.ours, self.ratio
        return (
            f"| {self.net} | {bare.seconds:.1f} | {ours.seconds:.1f} | {ratio.seconds:.2f} | {ratio.cpu_seconds:.2f} "
            f"| {bare.peak_mb:.0f} | {ours.peak_mb:.0f} | {ratio.peak_mb:.2f} |"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nets", nargs="*", default=FIVE)
    parser.add_argument("--format", default=",".join(TARGETS), help="several: with commas")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--output", type=Path, help="write the page here too")
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    rows = []
    for format in options.format.split(","):
        print(
            f"{format}: net, bare s, ours s, ratio, CPU ratio, bare MB, ours MB, ratio", flush=True
        )
        for net in options.nets:
            rows.append(row_of(format, net, pairs_of(format, net, options.runs, options.resume)))
            print(rows[-1], flush=True)
    text = page(rows, options.runs)
    print("\n" + text)
    if options.output:
        options.output.write_text(text)
    return any(median(rows, format).seconds > MOST for format in {row.format for row in rows})


def pairs_of(format: str, net: str, runs: int, resume: bool) -> list[Pair]:
    path = CACHE / f"{format}-{net}.json"
    known = json.loads(path.read_text()) if resume and path.exists() else []
    with tempfile.TemporaryDirectory() as folder:
        while len(known) < runs:
            pair = measured_pair(format, net, Path(folder))
            known.append([asdict(side) for side in pair])
            path.write_text(json.dumps(known))
    return [(Cost(**bare), Cost(**ours)) for bare, ours in known]


def measured_pair(format: str, net: str, folder: Path) -> Pair:
    saved = folder / ("bare.mlpackage" if format == "coreml" else f"bare.{format}")
    bare = measure([str(BARE), format, net, str(saved)])
    words = ["--target", TARGETS[format], "--format", format]
    ours = measure(
        [
            "-m",
            "edgevit",
            "export",
            f"timm:{net}",
            "--weights",
            "random",
            *words,
            "--quiet",
            "-o",
            str(folder / "ours"),
        ]
    )
    shutil.rmtree(saved, ignore_errors=True)
    return bare, ours


def measure(arguments: list[str]) -> Cost:
    """Wall time and the child's own high-water mark, which `wait4` reports for that process alone."""
    started = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(arguments)} exited with {child.returncode}")
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    seconds = time.perf_counter() - started
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def row_of(format: str, net: str, pairs: Sequence[Pair]) -> Row:
    bare, ours = (middle([pair[side] for pair in pairs]) for side in (0, 1))
    return Row(format, net, bare, ours, middle([ratio(*pair) for pair in pairs]))


def ratio(bare: Cost, ours: Cost) -> Cost:
    return Cost(
        ours.seconds / bare.seconds,
        ours.cpu_seconds / bare.cpu_seconds,
        ours.peak_mb / bare.peak_mb,
    )


def middle(costs: Sequence[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.seconds for cost in costs),
        statistics.median(cost.cpu_seconds for cost in costs),
        statistics.median(cost.peak_mb for cost in costs),
    )


def median(rows: Sequence[Row], format: str) -> Cost:
    return middle([row.ratio for row in rows if row.format == format])


def page(rows: Sequence[Row], runs: int) -> str:
    from edgevit.support.host import this_host

    lines = [
        "# Cost of the checks",
        "",
        f"Written by `make bench`. `measured`: whole processes, bare and ours interleaved, {runs} of each for each net, medians, on "
        f"{this_host()}. *Bare* is the recipe of the converter's own documentation, with random weights and nothing "
        "checked ([bare.py](../benchmarks/bare.py)); *ours* is `edgevit export`, from import to the checked folder. Memory is of "
        "the main process; the runtime that checks an artifact is in one of its own. The promise is a median time of at "
        f"most x{MOST:g} in each format.",
    ]
    for format in dict.fromkeys(row.format for row in rows):
        own, all_nets = [row for row in rows if row.format == format], median(rows, format)
        lines += [
            "",
            f"## {NAMES[format]}: time x{all_nets.seconds:.2f}, peak memory x{all_nets.peak_mb:.2f}",
            "",
            "| net | bare s | ours s | ratio | CPU ratio | bare MB | ours MB | ratio |",
            "|---|--:|--:|--:|--:|--:|--:|--:|",
            *map(str, own),
        ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
