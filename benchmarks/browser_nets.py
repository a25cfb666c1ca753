"""Nets in a browser of this machine, with ONNX Runtime Web and LiteRT.js: one table, for docs/browser-nets.md.

    python benchmarks/browser_nets.py [--output PAGE] [--webgpu] [NET ...]

Each net runs in a process of its own. Its figures are kept in out/browser/, so an interrupted run goes on
where it stopped; --fresh starts over. --webgpu asks Chromium for WebGPU in software: numbers, not times.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kept_exports import exported

NETS = (
    "timm:shvit_s1",
    "timm:mobilenetv4_conv_small",
    "timm:deit_tiny_patch16_224",
    "timm:efficientvit_m0",
    "zoo:vit-i64-p8-d96-h3-l4",
)
CACHE = Path("out/browser")
CPU, GPU = ("ort-wasm", "litert-wasm"), ("ort-webgpu", "litert-webgpu")
SOFTWARE = "--enable-unsafe-webgpu --use-webgpu-adapter=swiftshader"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("nets", nargs="*", default=NETS)
    parser.add_argument("--output", type=Path, help="write the table here (default: print it)")
    parser.add_argument("--webgpu", action="store_true")
    parser.add_argument("--fresh", action="store_true")
    options = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    exports = {net: in_browser(net, options.webgpu, options.fresh) for net in options.nets}
    table = render(exports)
    if options.output:
        options.output.write_text(table)
    else:
        print(table)
    return not all(export.get("passed") for export in exports.values())


def in_browser(net: str, webgpu: bool, fresh: bool) -> dict[str, Any]:
    flags = {"EDGEVIT_BROWSER_FLAGS": SOFTWARE} if webgpu else {}
    export = exported(net, ["--target", "browser"], CACHE, fresh, flags)
    shutil.rmtree(CACHE / net.partition(":")[2], ignore_errors=True)
    return export


def render(exports: dict[str, dict[str, Any]]) -> str:
    some = next((export for export in exports.values() if "browser" in export), {})
    here, versions = some.get("browser", {}), some.get("versions", {})
    passed = sum(bool(export.get("passed")) for export in exports.values())
    return "\n".join([
        "# Nets in a browser",
        "",
        f"{passed} of {len(exports)} exports pass. Relative L2 to the model in PyTorch, and latency by the page's clock: median (middle half), after a warm-up. "
        f"Random weights; {here.get('cores')} threads; {here.get('agent')}; ONNX Runtime Web {versions.get('onnxruntime-web')}, LiteRT.js {versions.get('@litertjs/core')}; "
        f"measured at the export, on a machine that had other work too; {datetime.now(UTC):%Y-%m-%d}. WebGPU: {here.get('gpu') or 'not offered'}; "
        "in software its times say nothing, and are left out; `not run` where it was not asked for.",
        "",
        "| net | model files | ONNX Runtime Web: rel. L2 | ms | LiteRT.js: rel. L2 | ms | WebGPU, ONNX Runtime: rel. L2 | WebGPU, LiteRT: rel. L2 |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
        *(row(net, export) for net, export in exports.items()),
        "",
        "    python benchmarks/browser_nets.py [--webgpu] --output docs/browser-nets.md",
        "",
    ])  # fmt: skip


def row(net: str, export: dict[str, Any]) -> str:
    if "browser" not in export:
        return f"| {net} | {export.get('message', 'no answer')} |" + " |" * 6
    figures = {one["runtime"]: one for one in export["browser"]["runtimes"]}
    apart = {one["stage"].removeprefix("runtime "): one["rel_l2"] for one in export["parity"]}
    models = sum(f["bytes"] for f in export["files"] if f["path"].endswith(("/model.onnx", "/model.tflite")))  # fmt: skip
    cells = [net, f"{models / 1e6:.1f} MB"]
    for name in CPU:
        cells += [f"{apart[name]:.1e}", latency(figures[name])]
    cells += [f"{apart[name]:.1e}" if name in apart else refused(figures.get(name)) for name in GPU]
    return f"| {' | '.join(cells)} |"


def latency(figures: dict[str, Any]) -> str:
    low, median, high = (figures[f"{name}_ms"] for name in ("low", "median", "high"))
    return f"{median:.3g} ({low:.3g} to {high:.3g})"


def refused(figures: dict[str, Any] | None) -> str:
    return "not taken" if figures else "not run"


if __name__ == "__main__":
    sys.exit(main())
