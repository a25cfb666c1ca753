"""What is left to gain on LiteRT: a net's convolutions and products of matrices alone, interleaved with the whole of it.

python benchmarks/litert_floor.py [--rounds N] [--output PAGE] [NET ...]      (`make bench`)

The floor is our own .tflite with every other op taken out: what a kept op read from one that is gone is an input, what
it computes is an output. It computes nothing of use, and no artifact of the same convolutions and products in float32
is faster on this runtime. Files are kept in out/latency/, with the defaults of `latency.py`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder
from latency import ATTENTION, CACHE, default_path, geomean, run

from edgevit.backends.tflite.runtime import open_interpreter

KEPT = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL", "TRANSPOSE_CONV")
THREADS = 2


@dataclass(frozen=True)
class Row:
    net: str
    default: float
    ours: float
    floor: float  # seconds
    ratio: float  # ours / default
    most: float  # floor / default

    def __str__(self) -> str:
        times = " | ".join(f"{1e3 * t:.1f}" for t in (self.default, self.ours, self.floor))
        return f"| {self.net} | {times} | x{self.ratio:.2f} | x{self.most:.2f} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nets", nargs="*", default=ATTENTION)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--output", type=Path, help="write the page here too")
    options = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    rows = []
    for net in options.nets:
        rows.append(row_of(net, options.rounds))
        print(rows[-1], flush=True)
    text = page(rows, options.rounds)
    print("\n" + text)
    if options.output:
        options.output.write_text(text)
    return 0


def row_of(net: str, rounds: int) -> Row:
    default, ours = default_path(net, "tflite"), CACHE / f"{net}-ours"
    if not default.exists():
        run([str(Path(__file__).with_name("latency.py")), "--make", "tflite", net])
    words = ["--target", "linux-x86", "--format", "tflite", "--quiet"]
    run(["-m", "edgevit", "export", f"timm:{net}", "--weights", "random", *words, "-o", str(ours)])
    (whole,) = ours.glob("*.tflite")
    floor = CACHE / f"{net}-floor.tflite"
    floor.write_bytes(only(whole.read_bytes()))
    default_s, ours_s, floor_s = timed([default, whole, floor], rounds)
    return Row(
        net,
        statistics.median(default_s),
        statistics.median(ours_s),
        statistics.median(floor_s),
        ratio(ours_s, default_s),
        ratio(floor_s, default_s),
    )


def only(flatbuffer: bytes) -> bytes:
    """The same file with the ops of KEPT, and nothing between them."""
    model: Any = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    graph = model.subgraphs[0]
    codes = {getattr(schema.BuiltinOperator, name) for name in KEPT}
    kept = [
        op for op in graph.operators if model.operatorCodes[op.opcodeIndex].builtinCode in codes
    ]
    made = {int(tensor) for op in kept for tensor in op.outputs}
    read = {int(tensor) for op in kept for tensor in op.inputs if tensor >= 0}
    graph.operators = kept
    graph.inputs = sorted(t for t in read - made if not holds_numbers(model, graph.tensors[t]))
    graph.outputs = sorted(made)
    model.subgraphs, model.signatureDefs = [graph], []
    builder = Builder(len(flatbuffer))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def holds_numbers(model: Any, tensor: Any) -> bool:
    buffer = model.buffers[tensor.buffer]
    return bool(buffer.offset) or (buffer.data is not None and len(buffer.data) > 0)


def timed(paths: Sequence[Path], rounds: int) -> list[list[float]]:
    interpreters = [open_interpreter(path, THREADS) for path in paths]
    rng = np.random.default_rng(0)
    for interpreter in interpreters:
        for entry in interpreter.get_input_details():
            numbers = rng.standard_normal(entry["shape"]).astype(entry["dtype"])
            interpreter.set_tensor(entry["index"], numbers)
        for _ in range(5):
            interpreter.invoke()
    found: list[list[float]] = [[] for _ in paths]
    for _ in range(rounds):
        for interpreter, times in zip(interpreters, found, strict=True):
            started = time.perf_counter()
            interpreter.invoke()
            times.append(time.perf_counter() - started)
    return found


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def page(rows: Sequence[Row], rounds: int) -> str:
    from edgevit.support.host import this_host

    now, most = geomean(row.ratio for row in rows), geomean(row.most for row in rows)
    return "\n".join(
        [
            "# What is left to gain on LiteRT",
            "",
            f"Written by `make bench`. `measured`, interleaved: {THREADS} threads, median of {rounds} rounds, {this_host()}. "
            "Milliseconds. *default* is litert-torch's own recipe; *floor* is our artifact with every op but its "
            "convolutions and products of matrices taken out: no norm, softmax, sum or copy, no activation that is not fused. It computes "
            "nothing of use, and is as fast as this runtime gets with these products in float32.",
            "",
            "| net | default | ours | floor | ours / default | floor / default |",
            "|---|--:|--:|--:|--:|--:|",
            *map(str, rows),
            "",
            f"In the geometric mean ours takes x{now:.2f} of the default's time, and the floor x{most:.2f}.",
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
