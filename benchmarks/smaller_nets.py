"""Measure what fewer tokens, heads and channels, and early exits, save on a trained net, from the artifacts.

python benchmarks/smaller_nets.py [--formats onnx,tflite,onnx-int8,mcu] [--count N]

The net is `fine` of the trained bed: 65 tokens, six blocks. Prints a table of accuracy on test pictures and of latency
relative to the net as it is, interleaved, on one thread; of firmware, the instructions on an emulated Cortex-M4.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import edgevit
from edgevit.errors import EdgevitError
from edgevit.evaluate import EvaluationOptions
from edgevit.exits import export_exits
from edgevit.measure import profile
from edgevit.quantize import CalibrationOptions
from tests.quantize import bed
from tests.quantize.bed import nets

SPEC = f"{Path(nets.__file__)}:fine"
STEPS = (
    "",
    "fuse-tokens=0:0.8",
    "merge-tokens=0.4:0.4",
    "prune-heads=0.25,prune-mlp=0.5",
    "prune-heads=0.25,prune-mlp=0.5,fuse-tokens=0:0.8",
)
FORMATS = {  # target, format, precision
    "onnx": ("linux-x86", "onnx", "fp32"),
    "tflite": ("linux-x86", "tflite", "fp32"),
    "onnx-int8": ("linux-x86", "onnx", "int8"),
    "mcu": ("qemu-m4", "mcu", "int8"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--formats", default="onnx,tflite,onnx-int8,mcu,exits")
    parser.add_argument("--count", type=int, help="test pictures [default: all]")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        bed.write_folder(root / "train", "train", 64)
        bed.write_folder(root / "test", "test", options.count)
        for name in options.formats.split(","):
            measure_exits(root) if name == "exits" else measure_steps(name, root)


def measure_steps(name: str, root: Path) -> None:
    target, format, precision = FORMATS[name]
    rows = [(step, exported(step, root, target, format, precision)) for step in STEPS]
    there = [result for _, result in rows if not isinstance(result, EdgevitError)]
    where: dict[str, Any] = {"on": "emulator"} if name == "mcu" else {"threads": 1}
    session = profile([one.directory for one in there], no_store=True, fresh=True, **where)
    figures = iter(session.figures)
    unit = "M instructions | x | RAM, bytes" if name == "mcu" else "ms | x"
    columns = f"| steps | top-1 | M MACs | {unit} |"
    print(f"\n{name}\n\n{columns}\n|{'---|' * (columns.count('|') - 1)}")
    first: float | None = None
    for step, result in rows:
        if isinstance(result, EdgevitError):
            print(f"| `{step}` | refused: {result.message} |", flush=True)
            continue
        one, manifest = next(figures), result.manifest
        value = 1e-6 * one.value if name == "mcu" else 1e3 * one.latency.median
        first = first or value
        top1 = manifest["accuracy"]["file"]["top1"]
        macs = manifest["graph"]["after"]["macs"] / 1e6
        ratio = one.ratio if one.ratio else value / first
        ram = f" {manifest['firmware']['execution']['memory']['ram']:,} |" if name == "mcu" else ""
        print(
            f"| `{step}` | {top1:.2f} | {macs:.1f} | {value:.3g} | {ratio:.3f} |{ram}", flush=True
        )


def exported(step: str, root: Path, target: str, format: str, precision: str) -> Any:
    try:
        return edgevit.export(
            SPEC, target=target, format=format, precision=precision, lossy=step,
            output=root / f"{format}-{precision}-{STEPS.index(step)}",
            calibration=CalibrationOptions(str(root / "train")) if step.startswith("prune") or precision != "fp32" else CalibrationOptions(),
            evaluation=EvaluationOptions(str(root / "test")),
        )  # fmt: skip
    except EdgevitError as error:
        return error


def measure_exits(root: Path) -> None:
    """Choose thresholds on one half of the test pictures; measure on the other, beside the whole net."""
    images, labels = (tensor.numpy() for tensor in bed.pictures("test"))
    np.savez(root / "half.npz", images=images[:300], labels=labels[:300])
    spec = SPEC.replace(":fine", ":exits")
    how: dict[str, Any] = {"target": "linux-x86", "format": "onnx", "output": root / "exits"}
    exits = export_exits(spec, data=root / "half.npz", **how)
    whole = edgevit.export(SPEC, target="linux-x86", format="onnx", output=root / "whole")
    classify = hosted(exits.directory).load()
    run = hosted(exits.directory).session(str(whole.artifact), {})
    seconds, right = np.zeros(2), np.zeros(2)
    for image, label in zip(np.split(images[300:], len(images) - 300), labels[300:], strict=True):
        for number, call in enumerate((lambda x: classify(x)[0], lambda x: run(x)[0])):
            call(image)
            start = time.perf_counter()
            logits = call(image)
            seconds[number] += time.perf_counter() - start
            right[number] += logits.argmax() == label
    top1 = 100 * right / (len(images) - 300)
    sizes = sum(part["bytes"] for part in exits.plan["parts"]), whole.artifact.stat().st_size
    print(
        f"\nexits, ONNX Runtime, {len(images) - 300} pictures: x{seconds[0] / seconds[1]:.3f} of the time"
    )
    print(f"top-1 {top1[0]:.2f}, of the whole net {top1[1]:.2f}; bytes {sizes[0]:,}, {sizes[1]:,}")


def hosted(folder: Path) -> Any:
    spec = importlib.util.spec_from_file_location("run_exits", folder / "run_exits.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
