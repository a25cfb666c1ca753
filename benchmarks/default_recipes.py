"""Latency of our artifact against the same runtime's default recipe, taken by turns: `make bench`.

The default recipe is what the runtime's own documentation says to write for a PyTorch model: export it, hand it over,
save it. Both are made from the same model, with the same weights. Ratios below 1 are ours being faster.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

NETS = ("shvit_s1", "deit_tiny_patch16_224", "fastvit_t8", "mobilevit_xxs", "repvit_m1")
FORMATS = ("executorch", "tflite", "onnx")
CACHE = Path("out/default_recipes")
LIMIT = 1.05


def default_onnx(model: torch.nn.Module, inputs: tuple[torch.Tensor, ...], path: Path) -> Path:
    program = torch.onnx.export(model, inputs, dynamo=True, verbose=False)
    assert program is not None
    program.save(path.with_suffix(".onnx"))
    return path.with_suffix(".onnx")


def default_executorch(
    model: torch.nn.Module, inputs: tuple[torch.Tensor, ...], path: Path
) -> Path:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    exported = torch.export.export(model, inputs)
    edge = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    path.with_suffix(".pte").write_bytes(edge.to_executorch().buffer)
    return path.with_suffix(".pte")


def default_tflite(model: torch.nn.Module, inputs: tuple[torch.Tensor, ...], path: Path) -> Path:
    import litert_torch

    litert_torch.convert(model, inputs).export(str(path.with_suffix(".tflite")))
    return path.with_suffix(".tflite")


DEFAULT = {"executorch": default_executorch, "tflite": default_tflite, "onnx": default_onnx}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nets", nargs="*", default=NETS)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--make", nargs=2, metavar=("FORMAT", "NET"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        make(*options.make)
        return 0
    CACHE.mkdir(parents=True, exist_ok=True)
    print("| net | format | default ms | ours ms | ratio | middle half |")
    print("|---|---|---|---|---|---|", flush=True)
    ratios = {
        (net, format): compared(net, format, options.rounds)
        for net in options.nets
        for format in options.formats
    }
    known = [ratio for ratio in ratios.values() if ratio is not None]
    slow = [f"{net} {format}" for (net, format), r in ratios.items() if r is None or r > LIMIT]
    print(f"\nmedian x{statistics.median(known):.2f}, worst x{max(known):.2f} of {len(known)}")
    if slow:
        print(f"slower than x{LIMIT}, or not there: {', '.join(slow)}")
    return bool(slow)


def make(format: str, net: str) -> None:
    """The default recipe in a process of its own, as all of them change global state."""
    from edgevit.frontend.resolve import resolve

    source = resolve(f"timm:{net}")
    DEFAULT[format](source.module, source.inputs, CACHE / f"{net}-default")


def compared(net: str, format: str, rounds: int) -> float | None:
    from edgevit.profiling import SUFFIXES, Subject, measure, subject_of

    suffix = next(s for s, f in SUFFIXES.items() if f == format)
    default, ours = CACHE / f"{net}-default{suffix}", CACHE / f"{net}-{format}"
    wrong = "" if default.exists() else run([__file__, "--make", format, net])
    if not (ours / "edgevit.json").exists():
        words = ["export", f"timm:{net}", "--target", "linux-x86", "--format", format]
        run(["-m", "edgevit", *words, "-o", str(ours), "--quiet"])
    if not default.exists():
        print(f"| {net} | {format} | {wrong} | | | |", flush=True)
        return None
    mine = subject_of(ours)
    theirs = Subject("default", format, default, mine.inputs, {})
    report = measure([theirs, mine], rounds=rounds)
    first, second = report.measured
    assert second.ratio is not None
    assert second.ratio_spread is not None
    low, high = second.ratio_spread
    print(
        f"| {net} | {format} | {first.latency.median * 1e3:.2f} | {second.latency.median * 1e3:.2f} "
        f"| {second.ratio:.2f} | {low:.2f}-{high:.2f} |",
        flush=True,
    )
    record: dict[str, Any] = {"net": net, "format": format, "ratio": second.ratio}
    with (CACHE / "ratios.jsonl").open("a") as file:
        file.write(json.dumps(record) + "\n")
    return second.ratio


def run(arguments: list[str]) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr.strip().splitlines()[-1][:100]


if __name__ == "__main__":
    sys.exit(main())
