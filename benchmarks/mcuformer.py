"""Nets of MCUFormer's search space on an STM32F746: RAM beside the paper's 320 KB, and instructions.

python benchmarks/mcuformer.py [--output PAGE] [POINT ...]

Points are those of benchmarks/mcuformer_net.py, with random weights and default options. What is exported in out/mcuformer/ is
not exported again; delete it to measure anew.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.mcuformer_net import POINTS, Point
from edgevit.errors import MemoryLimitError
from edgevit.export.api import export
from edgevit.targets import load_target

TARGET = "stm32f746"
EXPORTS = Path("out/mcuformer")
NET = Path(__file__).with_name("mcuformer_net.py")
LIMIT = 320 * 1024  # bytes, the chip's RAM and the paper's limit
HEAD = """# MCUFormer's search space

By `python -m benchmarks.mcuformer --output docs/mcuformer.md` (all points; those below are what was run). MCUFormer (Liang et al., NeurIPS 2023, arXiv 2310.16898) reports 73.62 % top-1 on ImageNet within
320 KB of an STM32F746 (its abstract); accuracy needs its trained weights, which are not published, and its times are of a board. Here are RAM and instructions
of nets of its space, written after its authors' module (github.com/liangyn22/MCUFormer, `model/` and `experiments/supernet/*.yaml`; the net is
`benchmarks/mcuformer_net.py`): a class token, relative positions of keys and values by tables, three linear layers of low rank for one, pictures of 240 pixels.
Weights are random. The core computes the integers bit for bit (emulated); cycles are predicted by instructions, where memory never waits, at the 216 MHz that
the port sets.

The arena of the two points with patches of 16 lies in DTCM and SRAM1, 304 KB together, with no buffer across the boundary: a word there that is not aligned is
unpredictable (Arm DDI 0489F, 2.4.2). Variables and the stack lie in SRAM2, and weights of more than 1 MB in the board's external flash.

| point | patch | tokens | rank | width | heads | blocks | cosine (int8, held out) | M MACs | RAM, bytes | of 320 KB | flash, bytes | M instructions (emulated) | s at 216 MHz (predicted) |
|---|--:|--:|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|"""


def exported(name: str) -> Mapping[str, Any]:
    folder = EXPORTS / name
    if not (folder / "edgevit.json").is_file():
        export(f"{NET}:{name}", target=TARGET, output=folder)
    return json.loads((folder / "edgevit.json").read_text())


def refused(name: str, error: MemoryLimitError) -> str:
    tried = "; ".join((error.why or "").splitlines()[1:2])
    cells = [*sizes(POINTS[name]), f"refused: {error.message}; {tried}", *[""] * 6]
    return "| " + " | ".join(map(str, (name, *cells))) + " |"


def sizes(point: Point) -> tuple[object, ...]:
    heads = "3" if set(point.heads) == {3} else "4" if set(point.heads) == {4} else "3, 4"
    return point.patch, point.side**2 + 1, point.rank, point.width, heads, len(point.heads)


def row(name: str, manifest: Mapping[str, Any]) -> str:
    firmware = manifest["firmware"]
    ran = firmware["execution"]
    if not ran["golden_match"]:
        raise SystemExit(f"{name}: the core's outputs are not those of the integer model")
    (integers,) = (entry for entry in manifest["parity"] if entry["stage"] == "integers")
    ram, hz = ran["memory"]["ram_bytes"], load_target(TARGET).port_clock_hz or 1
    cells = (
        name,
        *sizes(POINTS[name]),
        f"{integers['cosine']:.4f}",
        f"{firmware['macs'] / 1e6:,.1f}",
        f"{ram:,}",
        f"{ram / LIMIT:.2f}",
        f"{ran['memory']['flash_bytes']:,}",
        f"{ran['instructions'] / 1e6:,.1f}",
        f"{ran['predicted_cycles'] / hz:.2f}",
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def page(rows: Sequence[str]) -> str:
    return "\n".join([HEAD, *rows, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("points", nargs="*", default=list(POINTS))
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    rows: list[str] = []
    for name in given.points:
        try:
            rows.append(row(name, exported(name)))
        except MemoryLimitError as error:
            rows.append(refused(name, error))
        print(rows[-1], flush=True)
    if given.output:
        given.output.write_text(page(rows))


if __name__ == "__main__":
    main()
