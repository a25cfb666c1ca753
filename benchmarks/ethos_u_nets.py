"""Nets on Ethos-U: ops on the NPU, SRAM and cycles by Vela's model, distance of the golden model to floats.

    python benchmarks/ethos_u_nets.py [--targets T,T] [--output PAGE] [SPEC[@SIZE] ...]

Live random weights. The ranges are those of the example input, and weights are rounded to the nearest: what the
export does on calibration inputs is better.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from edgevit.backends import Lowering, backend_of, run_here
from edgevit.errors import EdgevitError
from edgevit.frontend import ModelArguments, ModelOptions, capture
from edgevit.graph.parity import distance
from edgevit.quantize.run import plain_simulation
from edgevit.rewrites import engine
from edgevit.support.backend_info import info_of
from edgevit.targets import load_target

FORMAT = "ethos-u"
NETS = (
    "zoo:vit-i64-p8-d96-h3-l6",
    "zoo:hybrid-i64-d32",
    "timm:mobilenetv4_conv_small_035@96",
    "timm:efficientvit_m0@128",
    "timm:shvit_s1@128",
    "timm:mobilevit_xxs@128",
)
TARGETS = "ethos-u55-256,ethos-u85-256"
HEAD = (
    "| net | NPU | ops on the NPU | on the CPU | SRAM, KB | file, KB | cycles | inferences/s | cosine to float | to the simulation |\n"
    "|---|---|--:|---|--:|--:|--:|--:|--:|--:|"
)


@dataclass(frozen=True)
class Row:
    net: str
    npu: str
    inside: int | None
    outside: str
    predicted: dict[str, Any]
    file_bytes: int
    to_float: float
    to_simulation: float

    def __str__(self) -> str:
        sram, cycles = self.predicted["ram_bytes"] / 1024, self.predicted["cycles"]
        rate = self.predicted["inferences_per_second"]
        return (
            f"| {self.net} | {self.npu} | {self.inside} | {self.outside or 'nothing'} | {sram:,.0f} "
            f"| {self.file_bytes / 1024:,.0f} | {cycles:,} | {rate:,.0f} | {self.to_float:.4f} | {self.to_simulation:.4f} |"
        )


def rows(net: str, targets: list[str]) -> Iterator[Row]:
    spec, _, size = net.partition("@")
    options = ModelOptions(weights="random", input_size=int(size) if size else None)
    first = load_target(targets[0])
    source = ModelArguments(spec, options=options).build(first)
    backend = backend_of(FORMAT)
    program, _ = engine.run(capture(source), backend.rules)
    scheme = info_of(FORMAT).scheme("int8", first)
    assert scheme is not None
    written = plain_simulation(program, [source.inputs], scheme)
    for name in targets:
        with tempfile.TemporaryDirectory() as folder:
            request = Lowering(
                written, source, load_target(name), "int8", Path(folder), lambda _: None
            )
            artifact = backend.lower(request)
            outputs = run_here(artifact)(source.inputs)
        part, npu = artifact.delegation, artifact.details["npu"]
        predicted = artifact.details["predicted"]
        assert part is not None and isinstance(npu, dict) and isinstance(predicted, dict)
        outside = ", ".join(f"{one.op} x{one.count} ({one.where})" for one in part.outside)
        to_float = distance(program.run(), outputs).cosine
        to_simulation = distance(written.run(), outputs).cosine
        yield Row(
            net, npu["name"], part.ops_inside, outside, predicted, npu["file_bytes"], to_float, to_simulation,
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("nets", nargs="*", default=NETS)
    parser.add_argument("--targets", default=TARGETS)
    parser.add_argument("--output", type=Path, help="write the page here too")
    words = parser.parse_args()
    torch.set_num_threads(1)
    lines = [HEAD]
    print(HEAD, flush=True)
    for net in words.nets:
        try:
            for row in rows(net, words.targets.split(",")):
                lines.append(str(row))
                print(row, flush=True)
        except EdgevitError as error:
            lines.append(f"| {net} | {error.message}. {error.why} |".replace("\n", " "))
            print(lines[-1], flush=True)
    if words.output:
        words.output.write_text("\n".join([*_PAGE, *lines, ""]))


_PAGE = (
    "# Nets on Ethos-U",
    "",
    "Written by `python benchmarks/ethos_u_nets.py --output docs/ethos-u-nets.md`: live random weights, batch 1, `@` is the side of the image.",
    "SRAM, cycles and inferences are predicted by Vela's model at its clock (500 MHz), not measured. The golden model ran in LiteRT's reference",
    "kernels. The ranges are those of the example input, and weights are rounded to the nearest: an export with pictures is nearer to the float model.",
    "",
)

if __name__ == "__main__":
    main()
