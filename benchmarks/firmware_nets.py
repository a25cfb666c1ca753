"""Nets on microcontrollers: how near 8 bits are to floats, and what the firmware takes on an emulated core.

python benchmarks/firmware_nets.py [--target T] [--output PAGE] [NET[@SIZE] ...]

Every net is exported with random, live weights and default options. What is kept in out/firmware_nets/ is not exported
again; delete it to measure anew.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgevit.errors import EdgevitError
from edgevit.export.api import export

NETS = (
    "timm:mobilenetv4_conv_small_035@96", "timm:mobilenetv4_conv_small_035@128", "timm:mobilenetv4_conv_small_050@128",
    "timm:mobilenetv4_conv_small_050@160", "timm:efficientvit_m0@128", "timm:shvit_s1@128", "timm:shvit_s1@160",
    "timm:fastvit_t8@128", "timm:mobilevit_xxs@128", "timm:efficientvit_b0@128", "timm:mobilevitv2_050@96",
    "timm:levit_128s@96", "timm:edgenext_xx_small@96", "timm:convnext_atto@96",
    "timm:deit_tiny_patch16_224@96", "timm:deit_tiny_patch16_224@224",
    "zoo:kws", "zoo:ad", "zoo:resnet8", "zoo:vww",
    "zoo:casvit-xs@96", "zoo:mobilevig-ti@96", "zoo:van-b0@96", "zoo:moat-tiny0@96", "zoo:smt-t@96", "zoo:casvit-s@96",
)  # fmt: skip
CACHE = Path("out/firmware_nets")
COLUMNS = (
    "| net | input | cosine (int8, measured) | M MACs | arena, bytes | constants, bytes | on the core (emulated) |\n"
    "|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Row:
    net: str
    size: int  # 0: the net's own
    said: str  # of an export that was refused
    cosine: float = 0.0
    macs: int = 0
    arena: int = 0
    constants: int = 0
    ran: str = ""  # instructions, RAM and flash

    def __str__(self) -> str:
        if self.said:
            return f"| {self.net} | {self.size or 'own'} | {self.said} | | | | |"
        numbers = f"{self.macs / 1e6:.1f} | {self.arena:,} | {self.constants:,}"
        return f"| {self.net} | {self.size or 'own'} | {self.cosine:.4f} | {numbers} | {self.ran} |"


def measured(spec: str, target: str) -> Row:
    net, _, size = spec.partition("@")
    name, pixels = net.partition(":")[2], int(size or 0)
    with tempfile.TemporaryDirectory() as folder:
        try:
            output = Path(folder) / "net"
            result = export(
                net, target=target, output=output, weights="random", input_size=pixels or None
            )
        except EdgevitError as error:
            return Row(name, pixels, error.message)
        parity = {one.stage: one for one in result.parity}
        return _row(name, pixels, parity, result.manifest)


def _row(name: str, size: int, parity: dict[str, Any], manifest: dict[str, Any]) -> Row:
    firmware: Any = manifest["firmware"]
    ran = parity["firmware"]
    told = "; ".join((*ran.notes, *ran.unchecked))
    return Row(
        name,
        size,
        "",
        parity["integers"].distance.cosine,
        firmware["macs"],
        firmware["arena_bytes"],
        firmware["constant_bytes"],
        told if ran.passed else f"not equal: {told}",
    )


def kept(spec: str, target: str) -> Row:
    path = CACHE / f"{target}-{spec.replace(':', '-')}.json"
    if path.exists():
        return Row(**json.loads(path.read_text()))
    row = measured(spec, target)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(row)))
    return row


def page(rows: Sequence[Row], target: str) -> str:
    return "\n".join(
        [
            f"# Nets on `{target}`",
            "",
            "By `python benchmarks/firmware_nets.py`. Weights are random and live, options the defaults. The cosine is of the integer model's",
            "output with the float model's, the mean of held-out pictures, which an export asks 0.99 of (and 0.97 of the worst one); the core computes the integers bit for bit.",
            "",
            COLUMNS,
            *map(str, rows),
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nets", nargs="*", default=list(NETS))
    parser.add_argument("--target", default="qemu-m7")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    rows = []
    for spec in given.nets:
        rows.append(kept(spec, given.target))
        print(rows[-1], flush=True)
    if given.output:
        given.output.write_text(page(rows, given.target))


if __name__ == "__main__":
    main()
