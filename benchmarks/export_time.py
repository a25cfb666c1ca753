"""Time of an export of YOLO11n, ours with its parity checks and ultralytics' own, in turn.

    python benchmarks/export_time.py [--formats executorch,tflite,coreml,onnx] [--rounds 3] [--output docs/export-time.md]

Both get the same checkpoint of random weights, in a process of its own each: imports, the read of the file, and the
artifact on disk count. Ours compares the artifact with the model on the example and on other inputs; theirs does not.
Figures are seconds of one core, user and system, of the process and those that it starts: another load on the machine
changes them little. It needs `pip install 'edgevit[ultralytics]'`, and of theirs what its exporter asks for (onnxslim).
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_SIZE = 640
_THEIR_NAMES = {"tflite": "litert"}
_TARGETS = {"coreml": "iphone"}
_THEIRS = """
import sys
from ultralytics import YOLO
YOLO(sys.argv[1]).export(format=sys.argv[2], imgsz=int(sys.argv[3]), device="cpu")
"""
_SAVE = """
import sys, torch
from ultralytics import YOLO
torch.manual_seed(0)
net = YOLO("yolo11n.yaml")
net.ckpt = {"model": net.model, "train_args": {}}
net.save(sys.argv[1])
"""


@dataclass(frozen=True)
class Times:
    format: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    def __str__(self) -> str:
        ours, theirs = statistics.median(self.ours), statistics.median(self.theirs)
        ranges = " | ".join(f"{statistics.median(one):.1f} ({min(one):.1f} to {max(one):.1f})" for one in (self.ours, self.theirs))  # fmt: skip
        return f"| {self.format} | {ranges} | {ours / theirs:.2f} |"


def measured(format: str, rounds: int) -> Times:
    ours, theirs = [], []
    for _ in range(1 + rounds):  # Python compiles in the first, which does not count
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = Path(folder) / "net.pt"
            _timed([sys.executable, "-c", _SAVE, str(checkpoint)], folder)
            command = [str(Path(sys.executable).parent / "edgevit"), "export", f"ultralytics:{checkpoint}", "--trust"]  # fmt: skip
            command += ["--target", _TARGETS.get(format, "linux-x86"), "--format", format, "--input-size", str(_SIZE), "--quiet", "-o", f"{folder}/out"]  # fmt: skip
            ours.append(_timed(command, folder))
            theirs.append(_timed([sys.executable, "-c", _THEIRS, str(checkpoint), _THEIR_NAMES.get(format, format), str(_SIZE)], folder))  # fmt: skip
    return Times(format, tuple(ours[1:]), tuple(theirs[1:]))


def _timed(command: Sequence[str], folder: str) -> float:
    # ultralytics' settings are its own business, and no package is installed while it is timed
    own = os.environ | {"YOLO_CONFIG_DIR": folder, "YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true", "OMP_NUM_THREADS": "1"}  # fmt: skip
    own.pop("PYTHONDONTWRITEBYTECODE", None)  # installed packages are compiled
    began = _seconds()
    run = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"{' '.join(command)[:200]}\n{run.stdout[-2000:]}\n{run.stderr[-2000:]}")
    return _seconds() - began


def _seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def page(rows: Sequence[Times]) -> str:
    return "\n".join(
        [
            "# Time of an export",
            "",
            f"By `python benchmarks/export_time.py`: YOLO11n at {_SIZE} pixels, from one checkpoint, seconds of one core of the whole process: median (least to most) of {len(rows[0].ours)} round{'s' * (len(rows[0].ours) > 1)}, ours and theirs in turn. "
            "Ours has compared its artifact with the model on the example and on other inputs in that time; ultralytics' exporter compares nothing.",
            "Its ONNX comes from torch's older exporter, which traces and nothing more. Imports and the capture by `torch.export` are most of edgevit's time there.",
            "",
            "| format | edgevit | ultralytics | ratio |",
            "|---|---|---|---|",
            *map(str, rows),
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--formats", default="executorch,tflite,coreml,onnx")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows = []
    for format in options.formats.split(","):
        rows.append(measured(format, options.rounds))
        print(rows[-1], flush=True)
    if options.output:
        options.output.write_text(page(rows))


if __name__ == "__main__":
    main()
