"""Nets that we did not write, through four formats: what passes, what is refused and why.

    python benchmarks/compatibility.py --minutes 60 --output docs/compatibility.md

One net of each of timm's families, transformers' architectures from small configs, torchvision's nets, ultralytics' and the zoo, with live
random weights. Each answer is a file in out/compatibility, so that a run goes on where the last one ended.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.small_configs import INPUT_SIZE, SMALL_CONFIGS
from edgevit.frontend.zoo.papers import PAPERS

FORMATS = {
    "coreml": "iphone",
    "onnx": "linux-x86",
    "tflite": "linux-x86",
    "executorch": "linux-x86",
}
STATE = Path("out/compatibility")
_LONGEST = 1800  # seconds of one export
_SMALL = re.compile(
    r"atto|femto|pico|nano|xxs|mini|micro|tiny|_xs|_s0|_b0|_t0|_m0|_s1|small|18|_050|_s\b"
)
_TORCHVISION = [
    "mobilenet_v2",
    "mobilenet_v3_small",
    "shufflenet_v2_x0_5",
    "squeezenet1_1",
    "mnasnet0_5",
    "resnet18",
    "regnet_y_400mf",
    "efficientnet_b0",
    "convnext_tiny",
    "densenet121",
    "googlenet",
    "swin_t",
    "vit_b_16",
    "lraspp_mobilenet_v3_large",
    "deeplabv3_mobilenet_v3_large",
    "fcn_resnet50",
    "ssdlite320_mobilenet_v3_large",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "retinanet_resnet50_fpn",
]
_ULTRALYTICS = [
    "yolo11n",
    "yolo26n",
    "yolo26n?end2end",
    "yolov8n",
    "yolo11n-seg",
    "yolo11n-pose",
    "yolo11n-cls",
]
_ZOO = ["kws", "ad", "resnet8", "vww", "vit-i64-p8-d96-h3-l6", "hybrid-i64-d32"]


@dataclass(frozen=True)
class Net:
    source: str
    name: str
    spec: str
    words: tuple[str, ...] = ()


def nets() -> Iterator[Net]:
    """List the nets, those that export fast first."""
    for name, config in SMALL_CONFIGS.items():
        folder = STATE / "configs" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config))
        size = INPUT_SIZE.get(name)
        words = ("--input-size", str(size)) if size else ()
        yield Net("transformers", name, f"hf:{folder}", words)
    size = ("--input-size", "320")
    yield from (Net("ultralytics", n, f"ultralytics:{n}", size) for n in _ULTRALYTICS)
    yield from (Net("zoo", name, f"zoo:{name}") for name in _ZOO)
    smallest = [f"{name}-{next(iter(paper.sizes))}" for name, paper in PAPERS.items()]
    yield from (Net("zoo", name, f"zoo:{name}", ("--input-size", "64")) for name in smallest)
    yield from (Net("torchvision", name, f"torchvision:{name}") for name in _TORCHVISION)
    yield from (Net("timm", name, f"timm:{name}") for name in _one_of_each_family())


def _one_of_each_family() -> list[str]:
    """Return a small net of each of timm's modules, as the names tell its size."""
    from edgevit.frontend.torchvision_ops import make_torchvision_importable

    make_torchvision_importable()
    import timm

    families = [timm.list_models(module=module) for module in timm.list_modules()]
    small = [([n for n in names if _SMALL.search(n)] or names) for names in families if names]
    return [min(names, key=lambda name: (len(name), name)) for names in small]


def answer(net: Net, format: str) -> dict[str, Any]:
    """Export the net in a process of its own, and return what became of it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).parent / "edgevit"), "export", net.spec, *net.words]
        command += ["--weights", "random", "--target", FORMATS[format], "--format", format]
        command += ["--json", "--quiet", "-o", f"{folder}/out"]
        try:
            run = subprocess.run(
                command, capture_output=True, text=True, timeout=_LONGEST, check=False
            )
        except subprocess.TimeoutExpired:
            return {"answer": "no answer", "why": f"not done in {_LONGEST} seconds"}
    lines = [line for line in run.stdout.splitlines() if line.startswith("{")]
    told = json.loads(lines[-1]) if lines else {}
    return _read(told, run.returncode) | {"seconds": round(time.monotonic() - began)}


def _read(told: Mapping[str, Any], code: int) -> dict[str, Any]:
    if "parity" in told:
        last = told["parity"][-1]
        worst = max(parity["rel_l2"] for parity in told["parity"])
        placement = told.get("placement") or {}
        delegation = told.get("delegation") or {}
        return {
            "answer": "passes" if told["passed"] else "departs",
            "relative_l2": worst,
            "precision": last["precision"],
            "units": placement.get("units"),
            "outside": delegation.get("ops_outside"),
            "why": "" if told["passed"] else "; ".join(last["notes"])[:300],
        }
    word = "BROKEN" if code == 70 or not told else "refused"
    reason = {name: str(told.get(name) or "")[:300] for name in ("message", "where", "why")}
    return {"answer": word, "code": code, **reason}


def render(rows: Sequence[tuple[Net, Mapping[str, Mapping[str, Any]]]], total: int) -> str:
    answers = [entry["answer"] for _, row in rows for entry in row.values()]
    count = {
        word: answers.count(word)
        for word in ("passes", "refused", "departs", "BROKEN", "no answer")
    }
    lines = [
        "# Compatibility",
        "",
        f"Written by `make compatibility` on {datetime.now(UTC):%Y-%m-%d}: {len(rows)} of {total} nets so far, {len(answers)} exports. "
        + ", ".join(f"{number} {word}" for word, number in count.items() if number) + ".",
        "",
        "Live random weights, the format's default precision on linux-x86, and an iPhone for Core ML. `passes` is within the tolerance on the example and on other inputs; the number is the worst relative L2. "
        "Behind it is what the delegate leaves outside, or what the Neural Engine is predicted to take of all operations.",
        "",
        "| from | net | " + " | ".join(FORMATS) + " |",
        "|---|---|" + "---|" * len(FORMATS),
    ]  # fmt: skip
    for net, row in rows:
        cells = " | ".join(_cell(row.get(format)) for format in FORMATS)
        lines.append(f"| {net.source} | `{net.name}` | {cells} |")
    return "\n".join([*lines, "", "## Reasons", "", *_reasons(rows)]) + "\n"


def _cell(entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return ""
    if entry["answer"] != "passes":
        return entry["answer"]
    units, outside = entry.get("units"), entry.get("outside")
    where = f", {units['neural_engine']} of {sum(units.values())} on the engine" if units else ""
    where = f", {outside} outside" if outside else where
    return f"{entry['relative_l2']:.0e}{where}"


def _reasons(rows: Sequence[tuple[Net, Mapping[str, Mapping[str, Any]]]]) -> list[str]:
    """Group what does not pass by its reason."""
    groups: dict[str, list[str]] = defaultdict(list)
    for net, row in rows:
        for format, entry in row.items():
            if entry["answer"] != "passes":
                words = [entry["answer"], entry.get("message", ""), entry.get("why", "")]
                reason = ": ".join(" ".join(w.split()).replace("|", "/")[:160] for w in words if w)
                groups[re.sub(r"out/compatibility\S*|/tmp/\S*", "", reason)].append(
                    f"{net.name} ({format})"
                )
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    return [f"- {reason}: {', '.join(places)}" for reason, places in ordered] or ["None."]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--only", help="nets of one source: timm, ultralytics")
    parser.add_argument("--output", type=Path, default=Path("docs/compatibility.md"))
    options = parser.parse_args()
    STATE.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    every, until = list(nets()), time.monotonic() + options.minutes * 60
    _take_answers(options.output.with_suffix(".json"))
    for format in FORMATS:
        for net in every:
            if options.only not in (None, net.source):
                continue
            if net.source == "ultralytics" and not find_spec("ultralytics"):
                continue  # it is in no extra but its own, and the rows stay as they are
            file = STATE / f"{net.source}-{net.name}-{format}.json"
            if not file.exists() and time.monotonic() < until:
                file.write_text(json.dumps(answer(net, format)))
                _write(every, options.output)
    _write(every, options.output)


def _take_answers(page: Path) -> None:
    """Go on from the page that is there."""
    entries = json.loads(page.read_text()) if page.is_file() else []
    for entry in entries:
        for format, told in entry["formats"].items():
            file = STATE / f"{entry['from']}-{entry['net']}-{format}.json"
            if not file.exists():
                file.write_text(json.dumps(told))


def _write(every: Sequence[Net], page: Path) -> None:
    rows = [(net, row) for net in every if (row := _row(net))]
    page.write_text(render(rows, len(every)))
    entries = [{"from": net.source, "net": net.name, "formats": row} for net, row in rows]
    page.with_suffix(".json").write_text(json.dumps(entries, indent=0) + "\n")


def _row(net: Net) -> dict[str, Any]:
    """Return the answers so far, by format."""
    files = {format: STATE / f"{net.source}-{net.name}-{format}.json" for format in FORMATS}
    return {format: json.loads(f.read_text()) for format, f in files.items() if f.exists()}


if __name__ == "__main__":
    main()
