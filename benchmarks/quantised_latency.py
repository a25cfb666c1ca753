"""Latency of integers against our own floats of the same runtime, kernel by kernel: `make bench`.

    python benchmarks/quantised_latency.py [--output PAGE] [--formats F,...] [--runs N] [NET ...]

The figure of an artifact is the sum over its kernels of each one's least time in N runs of one thread, by the runtime's
own profiler. A kernel ends within a slice of the scheduler, so that other load hardly changes it. Files are lowered from
plain simulations: rounding to the nearest and ranges of one input, as neither changes what is computed. Files and
figures are kept in out/quantised-latency/, so an interrupted run goes on where it stopped; --fresh measures again.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from pathlib import Path

import latency
import numpy as np
import torch

from edgevit.backends import Worker, backend_for
from edgevit.export.request import DEFAULT_REQUEST
from edgevit.export.stages import rules_of
from edgevit.frontend import capture
from edgevit.frontend.resolve import resolve
from edgevit.graph.program import Program
from edgevit.measure.timing import drawn
from edgevit.quantize.run import plain_simulation
from edgevit.rewrites import engine
from edgevit.rewrites.norms.drop_norm_mean import CentreStream
from edgevit.rewrites.norms.fold_norm_affine import FoldNormAffine
from edgevit.rewrites.standard import STANDARD
from edgevit.support.backend_info import info_of
from edgevit.support.host import this_host
from edgevit.targets import load_target

NETS = (
    "deit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "efficientformer_l1", "shvit_s1", "mobilevit_xxs",
    "fastvit_t8", "levit_128s", "efficientvit_m0", "pvt_v2_b0", "tiny_vit_5m_224", "mobilenetv4_conv_small",
    "tf_efficientnet_lite0",
)  # fmt: skip
# ONNX Runtime's kernels with ranges found as they run are slower than its floats: `auto` is `int8` there.
PRECISIONS = {
    "onnx": ("fp32", "int8"),
    "tflite": ("fp32", "int8", "auto"),
    "executorch": ("fp32", "int8", "auto"),
}
CACHE = Path("out/quantised-latency")
Times = dict[str, float]  # milliseconds of `FORMAT-PRECISION`


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("nets", nargs="*", default=NETS)
    parser.add_argument("--formats", default=",".join(PRECISIONS))
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--fresh", action="store_true", help="measure again")
    parser.add_argument("--output", type=Path, help="write the page here too")
    parser.add_argument("--make", nargs=2, metavar=("NET", "FORMAT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        make(*options.make)
        return 0
    table = {net: times_of(net, options.formats.split(","), options) for net in options.nets}
    text = page(table, options.runs)
    print(text)
    if options.output:
        options.output.write_text(text)
    return 0


def make(net: str, format: str) -> None:
    """Write the files of one format. In a process of its own, as converters change global state."""
    torch.set_num_threads(1)
    source = resolve(f"timm:{net}", weights="random")
    program = capture(source)
    norms = (FoldNormAffine(), CentreStream())
    prepared, _ = engine.run(engine.run(program, STANDARD)[0], norms)
    for precision in PRECISIONS[format]:
        folder = folder_of(net, format, precision)
        if not any(folder.glob("*.*")):
            folder.mkdir(parents=True, exist_ok=True)
            write(program if precision == "fp32" else prepared, format, precision, folder)


def write(program: Program, format: str, precision: str, folder: Path) -> None:
    target = load_target("linux-x86")
    rules = rules_of(backend_for(format, target), format, (), DEFAULT_REQUEST)
    program, _ = engine.run(program, rules)
    scheme = info_of(format).scheme(precision, target)
    if scheme is not None:
        program = plain_simulation(program, [program.inputs], scheme)
    LOWER[format](program, precision, folder)


def times_of(net: str, formats: list[str], options: argparse.Namespace) -> Times:
    path = CACHE / net / "times.json"
    times: Times = json.loads(path.read_text()) if path.exists() and not options.fresh else {}
    for format in formats:
        labels = {f"{format}-{precision}" for precision in PRECISIONS[format]}
        if not labels <= set(times):
            if not all(any(folder_of(net, format, one).glob("*.*")) for one in PRECISIONS[format]):
                command = [sys.executable, __file__, "--make", net, format]
                subprocess.run(
                    command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            for precision in PRECISIONS[format]:
                for file in folder_of(net, format, precision).glob(f"*{info_of(format).suffix}"):
                    times[f"{format}-{precision}"] = kernels_of(format, file, options.runs)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(times))
    print(row_of(net, times), file=sys.stderr, flush=True)
    return times


def folder_of(net: str, format: str, precision: str) -> Path:
    return CACHE / net / f"{format}-{precision}"


def kernels_of(format: str, path: Path, runs: int) -> float:
    """Return the sum of every kernel's least time, in milliseconds."""
    with Worker(format, 1) as worker:
        worker.open(path)
        arrays = [drawn(spec) for spec in worker.inputs]
        tables = [[op.seconds for op in worker.op_times(arrays, 1)] for _ in range(runs)]
    return float(np.min(tables, axis=0).sum()) * 1e3


def row_of(net: str, times: Times) -> str:
    cells = [cell for format in PRECISIONS for cell in cells_of(format, times)]
    ours = [ms for label, ms in times.items() if not label.endswith("-fp32")]
    floats = [ms for label, ms in times.items() if label.endswith("-fp32")]
    return f"| {net} | {' | '.join(cells)} | **x{min(ours) / min(floats):.2f}** |"


def cells_of(format: str, times: Times) -> list[str]:
    whole = times.get(f"{format}-fp32", math.nan)
    ratios = [times.get(f"{format}-{one}", math.nan) / whole for one in PRECISIONS[format][1:]]
    first = "" if math.isnan(whole) else f"{whole:.1f}"
    return [first, *("" if math.isnan(ratio) else f"x{ratio:.2f}" for ratio in ratios)]


def page(table: dict[str, Times], runs: int) -> str:
    heads = [f"{latency.NAMES[f]} fp32 | {' | '.join(PRECISIONS[f][1:])}" for f in PRECISIONS]
    overall = [
        min(ms for label, ms in times.items() if not label.endswith("-fp32"))
        / min(ms for label, ms in times.items() if label.endswith("-fp32"))
        for times in table.values()
    ]
    columns = sum(map(len, PRECISIONS.values())) + 1
    lines = [
        "# Latency of integers",
        "",
        "Written by `python benchmarks/quantised_latency.py`. Milliseconds of our fp32 file, and the time of integers relative "
        f"to it: sums of the kernels' least times in {runs} runs, one thread, by the runtimes' own profilers, on "
        f"{this_host()}. The last column is the fastest in integers beside the fastest in fp32, of all runtimes of the row.",
        "",
        "`--precision auto` is `int8` in ONNX, and floats where `int8` takes more than 0.9 of their time: small depthwise",
        "convolutions take about twice as long there as in floats, and a SiLU is two kernels.",
        "",
        f"| net | {' | '.join(heads)} | best / best |",
        "|---|" + "--:|" * columns,
        *(row_of(net, times) for net, times in table.items()),
        "",
        f"Best against best: x{latency.geomean(overall):.2f} in the geometric mean of {len(overall)} nets.",
    ]
    return "\n".join(lines) + "\n"


def lower_onnx(program: Program, precision: str, folder: Path) -> None:
    from edgevit.backends.onnx.lower import lower

    lower(program, precision, folder)


def lower_tflite(program: Program, precision: str, folder: Path) -> None:
    from edgevit.backends.tflite.lower import lower

    lower(program, precision, folder)


def lower_executorch(program: Program, precision: str, folder: Path) -> None:
    from edgevit.backends.executorch.lower import lower

    lower(program, precision, folder)


LOWER = {"onnx": lower_onnx, "tflite": lower_tflite, "executorch": lower_executorch}

if __name__ == "__main__":
    sys.exit(main())
