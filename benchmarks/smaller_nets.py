"""Measure what fewer tokens, heads and channels, and early exits, save on a trained net, from the artifacts.

python benchmarks/smaller_nets.py [--formats onnx,tflite,executorch,mcu,exits,mcu-exits] [--steps STEP...] [--count N]

The net is `fine` of the trained bed: 65 tokens, six blocks. Prints a table of accuracy on test pictures and of latency
relative to the net as it is in float32, interleaved, on one thread; of firmware, the instructions on an emulated Cortex-M4.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import edgevit
from edgevit.backends.mcu.run.early import open_early
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
ZEROS = ("sparse-blocks=0.5", "sparse-blocks=0.5:4")  # which firmware alone is faster for
FORMATS = {  # target, format, precisions
    "onnx": ("linux-x86", "onnx", ("fp32", "int8")),
    "tflite": ("linux-x86", "tflite", ("fp32", "int8")),
    "executorch": ("linux-x86", "executorch", ("fp32", "int8")),
    "mcu": ("qemu-m4", "mcu", ("int8",)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--formats", default="onnx,tflite,executorch,mcu,exits,mcu-exits")
    parser.add_argument("--steps", nargs="+", help="[default: all]")
    parser.add_argument("--count", type=int, help="test pictures [default: all]")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        bed.write_folder(root / "train", "train", 64)
        bed.write_folder(root / "test", "test", options.count)
        for name in options.formats.split(","):
            if name == "exits":
                measure_exits(root)
            elif name == "mcu-exits":
                measure_firmware_exits(root)
            else:
                every = (*STEPS, *ZEROS) if name == "mcu" else STEPS
                measure_steps(name, options.steps or every, root)


def measure_steps(name: str, steps: Sequence[str], root: Path) -> None:
    """Measure all steps in all precisions, by turns; the first row is what the others are relative to."""
    target, format, precisions = FORMATS[name]
    rows = [
        (step, precision, exported(step, root, target, format, precision))
        for precision in precisions
        for step in steps
    ]
    there = [result for *_, result in rows if not isinstance(result, EdgevitError)]
    where: dict[str, Any] = {"on": "emulator"} if name == "mcu" else {"threads": 1}
    session = profile([one.directory for one in there], no_store=True, fresh=True, **where)
    figures = iter(session.figures)
    unit = "M instructions | x | RAM, bytes | flash, bytes" if name == "mcu" else "ms | x"
    columns = f"| steps | precision | top-1 | M MACs | {unit} |"
    print(f"\n{name}\n\n{columns}\n|{'---|' * (columns.count('|') - 1)}")
    first: float | None = None
    for step, precision, result in rows:
        if isinstance(result, EdgevitError):
            print(f"| `{step}` | {precision} | refused: {result.message} |", flush=True)
            continue
        one, manifest = next(figures), result.manifest
        value = 1e-6 * one.value if name == "mcu" else 1e3 * one.latency.median
        first = first or value
        top1 = manifest["accuracy"]["file"]["top1"]
        macs = manifest["graph"]["after"]["macs"] / 1e6
        ratio = one.ratio if one.ratio else value / first
        memory = manifest["firmware"]["execution"]["memory"] if name == "mcu" else {}
        sizes = "".join(f" {memory[f'{kind}_bytes']:,} |" for kind in ("ram", "flash") if memory)
        print(
            f"| `{step}` | {precision} | {top1:.2f} | {macs:.1f} | {value:.3g} | {ratio:.3f} |{sizes}",
            flush=True,
        )


def exported(step: str, root: Path, target: str, format: str, precision: str) -> Any:
    calibrated = step.startswith(("prune", "slice", "sparse")) or precision != "fp32"
    try:
        return edgevit.export(
            SPEC,
            target=target,
            format=format,
            precision=precision,
            lossy=step,
            output=root / f"{format}-{precision}-{step.replace(':', '_')}",
            calibration=CalibrationOptions(str(root / "train") if calibrated else None),
            evaluation=EvaluationOptions(str(root / "test")),
        )
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


def measure_firmware_exits(root: Path) -> None:
    """Choose on one half, measure on the other by the integers, which the firmware equals, and its instructions."""
    images, labels = (tensor.numpy() for tensor in bed.pictures("test"))
    bed.write_folder(root / "half", "test", 300)
    spec = SPEC.replace(":fine", ":exits")
    made = export_exits(spec, target="qemu-m4", data=root / "half", output=root / "firmware-exits")
    firmware = open_early(made.parts[0].directory)
    counts = np.array([part["instructions"] for part in made.plan["parts"]])
    leaves, right = [], np.zeros(2)
    for image, label in zip(np.split(images[300:], len(images) - 300), labels[300:], strict=True):
        exits = firmware.exits([image])
        sure = np.array([[one.confidence] for one in exits[:-1]])
        leaves.append(int(made.thresholds.leaves(sure)[0]))
        taken = (exits[leaves[-1]], exits[-1])
        right += [one.logits.argmax() == label for one in taken]
    mean, top1 = counts[leaves].mean(), 100 * right / len(leaves)
    print(made)
    print(
        f"\nexits, firmware, {len(leaves)} pictures: {mean / 1e6:.2f} M instructions on average, "
        f"x{mean / counts[-1]:.3f} of {counts[-1] / 1e6:.2f} M; top-1 {top1[0]:.2f}, of the last exit {top1[1]:.2f}"
    )


def hosted(folder: Path) -> Any:
    spec = importlib.util.spec_from_file_location("run_exits", folder / "run_exits.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
