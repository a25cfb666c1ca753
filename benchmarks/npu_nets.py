"""The 26 nets on the emulated Snapdragon NPU: pieces, what stays on the CPU, distance to the float model.

    python benchmarks/npu_nets.py [--target T] [--output PAGE] [NET ...]

Live random weights. Of integers, the ranges are those of the example input, and weights are rounded
to the nearest: what the export does on calibration inputs is better. Rows are kept in out/npu/, so an
interrupted run goes on where it stopped; --fresh starts over.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from nets import NETS

from edgevit.backends import Lowering, backend_of, run_here
from edgevit.errors import EdgevitError
from edgevit.frontend import ModelArguments, ModelOptions, capture
from edgevit.graph.parity import distance
from edgevit.quantize.run import plain_simulation
from edgevit.rewrites import engine
from edgevit.support.backend_info import info_of
from edgevit.targets import Target, load_target

PRECISIONS = ("fp16", "w8a16")
CACHE = Path("out/npu")
HEAD = "| net | precision | ops on the NPU | pieces | on the CPU | cosine to float | to the simulation |\n|---|---|--:|--:|---|--:|--:|"


@dataclass(frozen=True)
class Row:
    net: str
    precision: str
    inside: int | None
    pieces: int
    outside: str
    to_float: float
    to_simulation: float

    @property
    def is_whole(self) -> bool:
        return self.pieces == 1 and not self.outside

    def __str__(self) -> str:
        there = f"{self.inside} | {self.pieces} | {self.outside or 'nothing'}"
        return f"| {self.net} | {self.precision} | {there} | {self.to_float:.5f} | {self.to_simulation:.5f} |"


def rows(net: str, target: Target) -> Iterator[Row]:
    source = ModelArguments(f"timm:{net}", options=ModelOptions(weights="random")).build(target)
    backend, scheme = backend_of("qnn"), info_of("qnn").scheme
    program, _ = engine.run(capture(source), backend.rules)
    for precision in PRECISIONS:
        integers = scheme(precision, target)
        written = (
            plain_simulation(program, [source.inputs], integers)
            if integers is not None
            else program
        )
        with tempfile.TemporaryDirectory() as folder:
            request = Lowering(written, source, target, precision, Path(folder), lambda _: None)
            artifact = backend.lower(request)
            outputs = run_here(artifact)(source.inputs)
        part = artifact.delegation
        assert part is not None
        yield Row(
            net,
            precision,
            part.ops_inside,
            part.delegates,
            ", ".join(f"{one.op} x{one.count} ({one.where})" for one in part.outside),
            distance(program.run(), outputs).cosine,
            distance(written.run(), outputs).cosine,
        )


def measured(net: str, target: Target, fresh: bool) -> list[Row]:
    path = CACHE / f"{net}-{target.name}.json"
    if path.exists() and not fresh:
        return [Row(**entry) for entry in json.loads(path.read_text())]
    net_rows = list(rows(net, target))
    path.write_text(json.dumps([asdict(row) for row in net_rows]))
    return net_rows


def summary(all_rows: list[Row]) -> Iterator[str]:
    for precision in PRECISIONS:
        own = [row for row in all_rows if row.precision == precision]
        whole = sum(row.is_whole for row in own)
        least = min((row.to_float for row in own), default=0.0)
        yield f"- `{precision}`: {whole} of {len(own)} nets are one graph of the NPU; the smallest cosine to float is {least:.4f}."


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("nets", nargs="*", default=NETS)
    parser.add_argument("--target", default="galaxy-s25")
    parser.add_argument("--output", type=Path, help="write the page here too")
    parser.add_argument("--fresh", action="store_true")
    words = parser.parse_args()
    torch.set_num_threads(1)
    target = load_target(words.target)
    CACHE.mkdir(parents=True, exist_ok=True)
    print(HEAD, flush=True)
    all_rows: list[Row] = []
    failures: list[str] = []
    for net in words.nets:
        try:
            for row in measured(net, target, words.fresh):
                print(row, flush=True)
                all_rows.append(row)
        except EdgevitError as error:
            failures.append(f"- {net}: {error.message}. {error.why}".replace("\n", " "))
            print(failures[-1], flush=True)
    if words.output:
        lines = [*summary(all_rows), *failures, "", HEAD, *map(str, all_rows), ""]
        words.output.write_text("\n".join([*_PAGE, f"Target `{target.name}`.", "", *lines]))


_PAGE = (
    "# Nets on the Snapdragon NPU",
    "",
    "Written by `python benchmarks/npu_nets.py --output docs/npu-nets.md`: live random weights, the net's own resolution, batch 1,",
    "run on Qualcomm's emulator. Of integers, the ranges are those of the example input, and weights are rounded to the nearest.",
    "Accuracy of trained nets on the emulator: [quantised-accuracy.md](quantised-accuracy.md), rows `qnn`.",
)

if __name__ == "__main__":
    main()
