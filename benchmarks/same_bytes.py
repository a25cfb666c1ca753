"""Compare the artifacts that two checkouts write: five nets in every format, file by file, by SHA-256.

    python benchmarks/same_bytes.py BEFORE AFTER [--output PAGE] [NET ...]

Each checkout exports with its own `.venv`, the same options and the same seed. Where files differ, BEFORE exports that
net a second time: what differs between its own two exports is not repeatable, and does not apply to the checkouts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FIVE = (
    "zoo:vit-i64-p8-d96-h3-l2",
    "timm:shvit_s1",
    "timm:mobilevit_xxs",
    "timm:repvit_m1",
    "timm:deit_tiny_patch16_224",
)
INPUT = "64"
# target -> formats; those of one target are exported together
FORMATS = {
    "iphone": ("coreml",),
    "linux-x86": ("executorch", "tflite", "onnx", "tvm"),
    "qemu-riscv32": ("mcu",),
}


@dataclass(frozen=True)
class Export:
    """What one export has written: SHA-256 by path. `exit` is the export's exit code."""

    exit: int
    artifact: dict[str, str]
    beside: dict[str, str]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("nets", nargs="*", default=FIVE)
    parser.add_argument("--output", type=Path, help="write the table here too")
    options = parser.parse_args()
    rows = [
        "| net | format | files of the artifact | differ | beside it | differ |",
        "|---|---|--:|---|--:|---|",
    ]
    print("\n".join(rows), flush=True)
    for net in options.nets:
        for target in FORMATS:
            for row in compare(net, target, options.before, options.after):
                print(row, flush=True)
                rows.append(row)
    if options.output:
        options.output.write_text("\n".join(rows) + "\n")
    return 0


def compare(net: str, target: str, before: Path, after: Path) -> Iterator[str]:
    old, new = export(net, target, before), export(net, target, after)
    again = old if old == new else export(net, target, before)
    for format, one in old.items():
        other = new[format]
        artifact = differences(one.artifact, other.artifact, again[format].artifact)
        beside = differences(one.beside, other.beside, again[format].beside)
        if one.exit != other.exit:
            artifact = f"exit {one.exit}, then {other.exit}; {artifact}"
        yield f"| {net} | {format} | {len(one.artifact)} | {artifact} | {len(one.beside)} | {beside} |"


def differences(old: dict[str, str], new: dict[str, str], again: dict[str, str]) -> str:
    """Return the paths whose bytes differ, marked where they differ between two exports of one checkout too."""
    paths = sorted(path for path in old | new if old.get(path) != new.get(path))
    return ", ".join(describe(path, old, new, again) for path in paths) or "none"


def describe(path: str, old: dict[str, str], new: dict[str, str], again: dict[str, str]) -> str:
    if path not in old:
        return f"{path} (new)"
    if path not in new:
        return f"{path} (gone)"
    return path if old[path] == again.get(path) else f"{path} (not repeatable)"


def export(net: str, target: str, checkout: Path) -> dict[str, Export]:
    """Export one net in all formats of a target with the program of a checkout."""
    formats = FORMATS[target]
    with tempfile.TemporaryDirectory() as folder:
        command = [
            str(checkout.resolve() / ".venv/bin/edgevit"),
            "export",
            net,
            "--target",
            target,
            "--quiet",
        ]
        command += ["--format", ",".join(formats), "-o", "out"]
        if not net.startswith("zoo:"):
            command += ["--input-size", INPUT]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
        if not (Path(folder) / "out").exists():
            print(done.stderr, file=sys.stderr)
            return {format: Export(done.returncode, {}, {}) for format in formats}
        root = Path(folder) / "out"
        return {
            format: read(root / format if len(formats) > 1 else root, done.returncode)
            for format in formats
        }


def read(folder: Path, exit: int) -> Export:
    manifest = json.loads((folder / "edgevit.json").read_text())
    name = manifest["artifact"]
    files = {entry["path"]: entry["sha256"] for entry in manifest["files"]}
    artifact = {path: digest for path, digest in files.items() if path.startswith(name)}
    return Export(exit, artifact, {path: files[path] for path in files if path not in artifact})


if __name__ == "__main__":
    sys.exit(main())
