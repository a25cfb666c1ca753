"""Every net of `nets.py`, and one of each family of the zoo, to a Core AI asset, run in Apple's runtime: one table, for docs/coreai-nets.md.

Each net runs in a process of its own. Its figures are kept in out/coreai/, so an interrupted run goes on
where it stopped; --fresh starts over.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kept_exports import exported
from nets import NETS

CACHE = Path("out/coreai")
ZOO = (
    "kws", "ad", "resnet8", "vww", "vit-i64-p8-d96-h3-l6", "hybrid-i64-d32", "lsnet-t-i64-c10", "casvit-xs-i64-c10",
    "mobilevig-ti-i64-c10", "van-b0-i64-c10", "moat-tiny0-i64-c10", "smt-t-i64-c10",
    "spartan-t-i64-c10", "stvit-s-i64-c10", "uniformer-s-i64-c10", "litv2-s-i64-c10", "hornet-t-i64-c10", "rmt-t-i64-c10",
)  # fmt: skip
ALL = [*(f"timm:{net}" for net in NETS), *(f"zoo:{net}" for net in ZOO)]
TARGET = "iphone-17"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nets", nargs="*", default=ALL)
    parser.add_argument("--output", type=Path, help="write the table here (default: print it)")
    parser.add_argument("--fresh", action="store_true")
    options = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    words = ["--target", TARGET, "--format", "coreai"]
    exports = {net: exported(net, words, CACHE, options.fresh) for net in options.nets}
    table = render(exports)
    if options.output:
        options.output.write_text(table)
    else:
        print(table)
    return not all(export.get("passed") for export in exports.values())


def render(exports: dict[str, dict[str, Any]]) -> str:
    versions = next((e["versions"] for e in exports.values() if "versions" in e), {})
    passed = sum(bool(export.get("passed")) for export in exports.values())
    return "\n".join([
        "# Nets on Core AI",
        "",
        f"Written by `benchmarks/coreai_nets.py` on {datetime.now(UTC):%Y-%m-%d} with "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + f". Target `{TARGET}`, live random weights, the net's own resolution (of the zoo, what its name says), batch 1.",
        "",
        f"{passed} of {len(exports)} pass. *fp32* and *fp16*: assets read from disk by Apple's runtime for Linux, against the model in eager mode. "
        "*other inputs*: the fp16 asset on inputs of other statistics, the worst of them; bold is below the limit, and the export ends with code 9. *seconds*: the whole command on two x86-64 cores.",
        "",
        "| net | ops | fp32 rel. L2 | fp16 cosine | other inputs, fp16 cosine | size MB | seconds |",
        "|---|---|--:|--:|--:|--:|--:|",
        *(row(net, export) for net, export in exports.items()),
        "",
    ])  # fmt: skip


def row(net: str, export: dict[str, Any]) -> str:
    name = net.removeprefix("timm:")
    if "parity" not in export:
        return f"| {name} | **{export.get('message', '?')}** | | | | | |"
    parity = {(p["stage"], p["precision"]): p for p in export["parity"]}
    before, after = export["graph"]["before"], export["graph"]["after"]
    seconds = sum(stage["seconds"] for stage in export["stages"].values())
    size = sum(file["bytes"] for file in export["files"]) / 1e6
    return (
        f"| {name} | {before['ops']} → {after['ops']} | {parity['runtime', 'fp32']['rel_l2']:.1e} "
        f"| {cosine(parity, 'runtime')} | {cosine(parity, 'other inputs')} | {size:.1f} | {seconds:.0f} |"
    )


def cosine(parity: dict[tuple[str, str], dict[str, Any]], stage: str) -> str:
    entry = parity.get((stage, "fp16"))
    if entry is None:
        return "not judged"
    figure = f"{entry['cosine']:.6f}"
    return figure if entry["passed"] else f"**{figure}**"


if __name__ == "__main__":
    sys.exit(main())
