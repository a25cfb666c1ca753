"""Every net of `nets.py` to an iPhone package: one table, written to docs/matrix.md by `make matrix`.

Each net runs in a process of its own. Its figures are kept in out/matrix/, so an interrupted run goes on
where it stopped; --fresh starts over.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nets import NETS

from edgevit.rewrites.standard import STANDARD

CACHE = Path("out/matrix")
HERE = Path(__file__).parent
TARGET = "iphone"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nets", nargs="*", default=NETS)
    parser.add_argument("--output", type=Path, help="write the table here (default: print it)")
    parser.add_argument("--fresh", action="store_true")
    options = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    entries = {net: entry_for(net, options.fresh) for net in options.nets}
    table = render(entries)
    if options.output:
        options.output.write_text(table)
    else:
        print(table)
    failed = [net for net, entry in entries.items() if not entry["export"].get("passed")]
    print(
        f"{len(entries) - len(failed)} passed, {len(failed)} failed {' '.join(failed)}",
        file=sys.stderr,
    )
    return bool(failed)


def entry_for(net: str, fresh: bool) -> dict[str, Any]:
    path = CACHE / f"{net}.json"
    if path.exists() and not fresh:
        return json.loads(path.read_text())
    print(net, file=sys.stderr, flush=True)
    command = [
        "-m",
        "edgevit",
        "export",
        f"timm:{net}",
        "--target",
        TARGET,
        "--weights",
        "random",
        "--quiet",
        "--json",
    ]
    entry = {
        "export": run([*command, "-o", str(CACHE / net)]),
        "author": run([str(HERE / "author_fuse.py"), net]),
    }
    path.write_text(json.dumps(entry))
    return entry


def run(arguments: Sequence[str]) -> Any:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {"error": done.stderr[-2000:]}


def render(entries: dict[str, dict[str, Any]]) -> str:
    versions = next(
        (e["export"]["versions"] for e in entries.values() if "versions" in e["export"]), {}
    )
    passed = sum(bool(e["export"].get("passed")) for e in entries.values())
    rows = [
        "# Every net, exported and checked",
        "",
        f"Written by `make matrix` on {datetime.now(UTC):%Y-%m-%d} with "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + f". Target `{TARGET}`, live random weights, the net's own resolution, batch 1.",
        "",
        f"{passed} of {len(entries)} pass. *rewritten*: the rewritten program against the model in eager mode. *fp32*: the "
        "saved full-precision package, read back from disk and interpreted. *fp16*: the shipped package, interpreted "
        "with a rounding to fp16 after every operation (`emulated`). *seconds* and *MB* are of the whole command on two "
        "x86-64 cores (`measured`), with import of PyTorch and building the model.",
        "",
        "| net | ops | convs | M MACs | rewritten rel. L2 | fp32 rel. L2 | fp16 cosine | fp16 overflows | size MB | seconds | peak MB |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        *(row(net, entry["export"]) for net, entry in entries.items()),
        "",
        "## Where Core ML runs it",
        "",
        "`predicted`, by the rules of [placement.toml](../edgevit/backends/coreml/placement.toml), each with its source. "
        "*pieces*: stretches of the program on one unit. *transposes*: of the package, those that a product of matrices "
        "takes in not counted.",
        "",
        "| net | ops | Neural Engine | GPU | CPU | pieces | transposes | what is off the engine |",
        "|---|--:|--:|--:|--:|--:|--:|---|",
        *(
            placement_row(net, e["export"]["placement"])
            for net, e in entries.items()
            if e["export"].get("placement")
        ),
        "",
        "## Against the authors' own fuse",
        "",
        "For nets whose author wrote a fuse (`timm.utils.reparameterize_model`). Ours is what the rules for every target "
        "leave, without a hook, and before the forms that one target wants.",
        "",
        "| net | convs: author | ours | M MACs: author | ours | ops: author | ours |",
        "|---|---|---|---|---|---|---|",
        *(
            author_row(net, e)
            for net, e in entries.items()
            if e["author"] and "graph" in e["export"]
        ),
        "",
    ]
    return "\n".join(rows)


def row(net: str, export: dict[str, Any]) -> str:
    if "parity" not in export:
        return f"| {net} | **{export.get('message', export.get('error', '?'))}** |" + " |" * 9
    before, after = export["graph"]["before"], export["graph"]["after"]
    parity = {(p["stage"], p["precision"]): p for p in export["parity"]}
    rewritten, fp32, fp16 = (
        parity[key] for key in (("rewritten", "fp32"), ("package", "fp32"), ("package", "fp16"))
    )
    overflow = next((n.split()[0] for n in fp16["notes"] if "overflow" in n), "0")
    seconds = sum(stage["seconds"] for stage in export["stages"].values())
    peak = max(stage["peak_memory_mb"] for stage in export["stages"].values())
    size = sum(file["bytes"] for file in export["files"]) / 1e6
    return (
        f"| {net} | {before['ops']} → {after['ops']} | {before['convs']} → {after['convs']} "
        f"| {before['macs'] / 1e6:.0f} → {after['macs'] / 1e6:.0f} | {shown(rewritten)} | {shown(fp32)} "
        f"| {fp16['cosine'] or 0:.6f} | {overflow} | {size:.1f} | {seconds:.0f} | {peak:.0f} |"
    )


def placement_row(net: str, placement: dict[str, Any]) -> str:
    units, ops = placement["units"], placement["ops"]
    off = Counter((op["op"], op["why"]) for op in ops if op["unit"] != "neural_engine")
    why = "; ".join(f"{op} x{count}: {reason}" for (op, reason), count in off.items())
    figures = [len(ops), units["neural_engine"], units["gpu"], units["cpu"]]
    cells = [*figures, placement["partitions"], placement["transposes"], why]
    return f"| {net} | " + " | ".join(map(str, cells)) + " |"


def shown(parity: dict[str, Any]) -> str:
    figure = "unknown" if parity["rel_l2"] is None else f"{parity['rel_l2']:.1e}"
    return figure if parity["passed"] else f"**{figure}**"


def author_row(net: str, entry: dict[str, Any]) -> str:
    author, ours = entry["author"], entry["export"]["rewrites"][len(STANDARD) - 1]["after"]
    cells = []
    for key, unit in (("convs", 1), ("macs", 1e6), ("ops", 1)):
        best = "**" if ours[key] < author[key] else ""
        form = ".1f" if unit > 1 else ".0f"
        cells += [f"{author[key] / unit:{form}}", f"{best}{ours[key] / unit:{form}}{best}"]
    return f"| {net} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
