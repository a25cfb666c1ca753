"""Latency of integers against our own floats of the same runtime, all of a net's measured interleaved: `make bench`.

    python benchmarks/quantised_latency.py [--output PAGE] [--formats F,...] [--rounds N] [NET ...]

Ratios below 1 are integers being faster; each is the median over rounds of two artifacts' times in that round. The last
column compares the best artifact in integers with the best default recipe of any runtime (benchmarks/latency.py).
Calibrated on generated pictures, as ranges change no time. Artifacts and figures are kept in out/quantised-latency/, so
an interrupted run goes on where it stopped; --fresh measures again, --remake exports again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path

import latency

from edgevit.measure.timing import Subject, measure, subject_of
from edgevit.support.backend_info import info_of
from edgevit.support.host import this_host

NETS = (
    "deit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "efficientformer_l1", "shvit_s1", "mobilevit_xxs",
    "fastvit_t8", "levit_128s", "efficientvit_m0", "pvt_v2_b0", "tiny_vit_5m_224", "mobilenetv4_conv_small",
    "tf_efficientnet_lite0",
)  # fmt: skip
PRECISIONS = ("fp32", "int8", "int8-dynamic", "auto")
DEFAULT = "default"
DEFAULTS = ("onnx", "tflite")  # ExecuTorch's is the fastest of no net in docs/latency.md
CACHE = Path("out/quantised-latency")
CALIBRATION = ("--calibrate", "generated", "--calibrate-count", "4")
Times = dict[str, tuple[float, ...]]  # seconds by round, of `FORMAT PRECISION`


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("nets", nargs="*", default=NETS)
    parser.add_argument("--formats", default=",".join(latency.FORMATS))
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--fresh", action="store_true", help="measure again")
    parser.add_argument("--remake", default="", help="precisions to export again: auto,int8")
    parser.add_argument("--output", type=Path, help="write the page here too")
    options = parser.parse_args()
    latency.CACHE.mkdir(parents=True, exist_ok=True)
    table = {net: times_of(net, options) for net in options.nets}
    text = page(table, options)
    print(text)
    if options.output:
        options.output.write_text(text)
    return 0


def times_of(net: str, options: argparse.Namespace) -> Times:
    path = CACHE / net / "times.json"
    if options.fresh or options.remake or not path.exists():
        formats = options.formats.split(",")
        make(net, formats, options.remake.split(","))
        subjects = subjects_of(net, formats)
        report = measure(subjects, rounds=options.rounds, threads=options.threads)
        times = {one.subject.label: one.latency.rounds for one in report.measured}
        path.write_text(json.dumps(times))
        print(row_of(net, times), file=sys.stderr, flush=True)
    return json.loads(path.read_text())


def make(net: str, formats: list[str], again: list[str]) -> None:
    for precision in PRECISIONS:
        folder = CACHE / net / precision
        missing = [
            f
            for f in formats
            if precision in info_of(f).precisions
            and (precision in again or not (folder / f / "edgevit.json").exists())
        ]
        calibration = () if precision == "fp32" else CALIBRATION
        words = (f"timm:{net}", "--target", "linux-x86", "--precision", precision, "--quiet")
        for format in missing:
            words_of_one = ("--format", format, *calibration, "-o", str(folder / format))
            latency.run(["-m", "edgevit", "export", *words, *words_of_one])
    for format in DEFAULTS:
        if not latency.default_path(net, format).exists():
            latency.run([latency.__file__, "--make", format, net])


def subjects_of(net: str, formats: list[str]) -> list[Subject]:
    subjects: list[Subject] = []
    for format in formats:
        for precision in PRECISIONS:
            folder = CACHE / net / precision / format
            if (folder / "edgevit.json").exists():
                one = subject_of(folder)
                label = f"{format} {precision}"
                subjects.append(Subject(label, format, one.path, one.inputs, one.versions))
    inputs = subjects[0].inputs
    for format in DEFAULTS:
        path = latency.default_path(net, format)
        if path.exists():
            subjects.append(Subject(f"{format} {DEFAULT}", format, path, inputs, {}))
    return subjects


def ratio(times: Times, mine: str, other: str) -> float:
    return statistics.median(a / b for a, b in zip(times[mine], times[other], strict=True))


def best(times: Times, default: bool) -> str:
    """Return the fastest default, or the fastest of ours in integers."""
    among = [
        label
        for label in times
        if label.endswith(f" {DEFAULT}") == default and not label.endswith(" fp32")
    ]
    return min(among, key=lambda label: statistics.median(times[label]))


def row_of(net: str, times: Times) -> str:
    cells = [cell for format in latency.FORMATS for cell in cells_of(format, times)]
    mine, other = best(times, False), best(times, True)
    return f"| {net} | {' | '.join(cells)} | {mine} **x{ratio(times, mine, other):.2f}** |"


def cells_of(format: str, times: Times) -> list[str]:
    whole = f"{format} fp32"
    if whole not in times:
        return [""] * len(PRECISIONS)
    milliseconds = f"{statistics.median(times[whole]) * 1e3:.1f}"
    labels = [f"{format} {precision}" for precision in PRECISIONS[1:]]
    return [milliseconds, *(f"x{ratio(times, x, whole):.2f}" if x in times else "" for x in labels)]


def page(table: dict[str, Times], options: argparse.Namespace) -> str:
    heads = [f"{latency.NAMES[f]} fp32 | int8 | dynamic | auto" for f in latency.FORMATS]
    overall = [ratio(times, best(times, False), best(times, True)) for times in table.values()]
    about = f"{options.threads} threads, median of {options.rounds} rounds, {this_host()}"
    lines = [
        "# Latency of integers",
        "",
        f"Written by `make bench`. `measured` on one machine, interleaved: {about}. Milliseconds of our fp32, and the time of "
        "`int8`, `int8-dynamic` and `auto` relative to it; the last column is our best artifact in integers against the "
        "best default recipe in fp32 of the three runtimes.",
        "",
        f"| net | {' | '.join(heads)} | best / best default fp32 |",
        "|---|" + "--:|" * (len(PRECISIONS) * len(latency.FORMATS) + 1),
        *(row_of(net, times) for net, times in table.items()),
        "",
        f"- best against best default: x{latency.geomean(overall):.2f} in the geometric mean of {len(overall)} nets",
        *(mean_of(format, table) for format in latency.FORMATS),
    ]
    return "\n".join(lines) + "\n"


def mean_of(format: str, table: dict[str, Times]) -> str:
    words: list[str] = []
    for precision in PRECISIONS[1:]:
        label, whole = f"{format} {precision}", f"{format} fp32"
        ratios = [ratio(t, label, whole) for t in table.values() if label in t and whole in t]
        if ratios:
            words.append(f"{precision} x{latency.geomean(ratios):.2f}, worst x{max(ratios):.2f}")
    return f"- {latency.NAMES[format]} against our fp32: {'; '.join(words)}"


if __name__ == "__main__":
    sys.exit(main())
