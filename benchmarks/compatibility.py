"""Nets that we did not write, through four formats: what passes, what is refused and why.

    python benchmarks/compatibility.py --minutes 60 --output docs/compatibility.md

Small nets of timm's families, transformers' architectures from small configs, torchvision's nets, ultralytics' and the zoo, with live
random weights, at the smallest picture that each takes. Each net is exported to all formats in one forked process, which shares the capture
between them. Each answer is a file in out/compatibility, so that a run goes on where the last one ended, and several
processes take a net each.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import gc
import importlib
import json
import os
import re
import resource
import signal
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.small_configs import INPUT_SIZE, SMALL_CONFIGS
from benchmarks.small_timm import smallest_of_each_family
from edgevit.backends.on_host import worker_for
from edgevit.backends.worker import Worker
from edgevit.errors import EdgevitError
from edgevit.frontend.zoo.papers import PAPERS

PRECISIONS = {"coreml": "fp16", "onnx": "fp32", "tflite": "fp32", "executorch": "fp32"}
FORMATS = tuple(PRECISIONS)
STATE = Path("out/compatibility")
_LONGEST = 3600  # seconds of one net
# One device for all four, so that they share a capture: an iPhone's facts for Core ML, this machine for the others.
_DEVICE = """name = "four-formats"
title = "four formats"
extends = "iphone-12"
formats = ["coreml", "onnx", "tflite", "executorch"]
precisions = ["fp16", "fp32"]
"""
_SIZES = (64, 96, 128, 160, 192, None)  # pixels a side, the first that the net takes
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
    sizes: tuple[int | None, ...] = (None,)


# Asked for by name: they come first.
_FIRST = [
    "dpt",
    "depth-anything",
    "clip",
    "siglip",
    "sam",
    "edgetam",
    "pp-ocr-v6-tiny",
    "rt-detr",
    "rt-detr-v2",
    "rf-detr",
    "segformer",
    "deeplabv3_mobilenet_v3_large",
    "lraspp_mobilenet_v3_large",
    "detr",
    "yolo11n",
    "yolo26n",
]


def nets() -> list[Net]:
    """List the nets, those that are asked for by name first."""
    every = list(_nets())
    place = {name: index for index, name in enumerate(_FIRST)}
    return sorted(every, key=lambda net: place.get(net.name, len(_FIRST)))


def _nets() -> Iterator[Net]:
    (STATE / "configs").mkdir(exist_ok=True)
    for net in smallest_of_each_family(STATE / "timm.json"):
        sizes = (net.side,) if net.side else _SIZES
        yield Net("timm", net.name, f"{net.file(STATE / 'configs')}:net", sizes)
    yield from (Net("torchvision", name, f"torchvision:{name}", _SIZES) for name in _TORCHVISION)
    for name, config in SMALL_CONFIGS.items():
        folder = STATE / "configs" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config))
        yield Net("transformers", name, f"hf:{folder}", (INPUT_SIZE.get(name),))
    yield from (Net("zoo", name, f"zoo:{name}") for name in _ZOO)
    smallest = [f"{name}-{next(iter(paper.sizes))}" for name, paper in PAPERS.items()]
    yield from (Net("zoo", name, f"zoo:{name}", (64,)) for name in smallest)
    yield from (Net("ultralytics", n, f"ultralytics:{n}", (320,)) for n in _ULTRALYTICS)


def answers(net: Net, formats: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Export the net to the formats in a forked process, and return what became of each."""
    folder = STATE / f"process-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    file = folder / "answer.json"
    file.unlink(missing_ok=True)
    workers = _started_workers()
    child = os.fork()
    if child == 0:
        _lend(workers)
        _in_child(lambda: file.write_text(json.dumps(_exported(net, formats, folder))), folder)
    ended, usage = _waited(child, time.monotonic() + _LONGEST)
    seconds = round(usage.ru_utime + usage.ru_stime, 1)
    if file.exists():
        told = json.loads(file.read_text())
    elif ended:
        told = {f: {"answer": "BROKEN", "why": "the process died"} for f in formats}
    else:
        for worker in workers:  # it may be at a request of the net's
            worker.close()
        told = {f: {"answer": "no answer", "why": f"not done in {_LONGEST} s"} for f in formats}
    return {format: {**entry, "cpu_seconds": seconds} for format, entry in told.items()}


def _started_workers() -> list[Worker]:
    """Start the runtimes' processes, which each net would load anew."""
    workers = [worker_for(format) for format in FORMATS if format != "coreml"]
    for worker in workers:
        worker.start()
    return workers


def _lend(workers: Sequence[Worker]) -> None:
    """Use the workers in a forked process, which is not their parent and cannot wait for them."""
    for worker in workers:
        assert worker._process is not None
        worker._process.poll = lambda: None  # type: ignore[method-assign]


def _in_child(work: Callable[[], object], folder: Path) -> None:
    gc.disable()  # each collection would walk all that the converters' imports have made
    try:
        os.setsid()
        log = os.open(folder / "last.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        work()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(0)


def _waited(child: int, deadline: float) -> tuple[bool, resource.struct_rusage]:
    while time.monotonic() < deadline:
        pid, _, usage = os.wait4(child, os.WNOHANG)
        if pid:
            return True, usage
        time.sleep(0.2)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    return False, os.wait4(child, 0)[2]


def _exported(net: Net, formats: Sequence[str], folder: Path) -> dict[str, dict[str, Any]]:
    """Export to all formats from one capture; where that breaks, to each alone."""
    from edgevit.export.job import ExportJob
    from edgevit.export.pipeline import export_each
    from edgevit.frontend import ModelArguments, ModelOptions, default_torch
    from edgevit.support.progress import Stages

    size = _taken_size(net)
    model = ModelArguments(net.spec, None, ModelOptions("random", size, trust=True))
    job = ExportJob.validated(str(STATE / "device.toml"), formats)
    job = replace(job, precisions={format: PRECISIONS[format] for format in job.formats})
    shown = {"input_size": size} if size else {}
    try:
        with default_torch():
            outcomes = export_each(model, job, folder / "exports", Stages()).outcomes
    except EdgevitError as error:  # before any format
        return {format: _refused(error) | shown for format in formats}
    except Exception as error:
        if len(formats) > 1:
            return {f: _exported(net, [f], folder)[f] for f in formats}
        traceback.print_exc()
        return {formats[0]: {"answer": "BROKEN", "why": repr(error)[:300]} | shown}
    return {
        f: (_refused(one) if isinstance(one, EdgevitError) else _read(one.manifest)) | shown
        for f, one in outcomes.items()
    }


def _taken_size(net: Net) -> int | None:
    """Return the first of the net's sizes that it can be built and run at."""
    from edgevit.frontend import ModelArguments, ModelOptions

    for size in net.sizes[:-1]:
        with contextlib.suppress(Exception):
            ModelArguments(net.spec, None, ModelOptions("random", size, trust=True)).build(None)
            return size
    return net.sizes[-1]


def _refused(error: EdgevitError) -> dict[str, Any]:
    reason = {name: str(getattr(error, name) or "")[:300] for name in ("message", "where", "why")}
    word = "BROKEN" if error.exit_code == 70 else "refused"
    return {"answer": word, "code": error.exit_code, **reason}


def _read(told: Mapping[str, Any]) -> dict[str, Any]:
    last = told["parity"][-1]
    placement = told.get("placement") or {}
    delegation = told.get("delegation") or {}
    return {
        "answer": "passes" if told["passed"] else "departs",
        "relative_l2": max(parity["rel_l2"] or 0.0 for parity in told["parity"]),
        "precision": last["precision"],
        "units": placement.get("units"),
        "outside": delegation.get("ops_outside"),
        "why": "" if told["passed"] else "; ".join(last["notes"])[:300],
    }


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
        "Live random weights, fp32, and fp16 for Core ML, with a run of operations in fp32 where fp16 alone departs; nets of transformers, zoo and timm are small ones, and most of timm's are without repeats of a block. `passes` is within the tolerance on the example and on other inputs; the number is the worst relative L2. "
        "Behind it is what the delegate leaves outside, or what the Neural Engine is predicted to take of all operations.",
        "",
        *_by_source(rows),
        "",
        "| from | net | " + " | ".join(FORMATS) + " |",
        "|---|---|" + "---|" * len(FORMATS),
    ]  # fmt: skip
    for net, row in rows:
        cells = " | ".join(_cell(row.get(format)) for format in FORMATS)
        lines.append(f"| {net.source} | `{net.name}` | {cells} |")
    told = "What is refused for any format is listed in [models.md](models.md), and by operator and format in [operators.md](operators.md)."
    return "\n".join([*lines, "", "## Reasons", "", told, "", *_reasons(rows)]) + "\n"


def _by_source(rows: Sequence[tuple[Net, Mapping[str, Mapping[str, Any]]]]) -> list[str]:
    """Count nets, and exports that pass, by where the nets are from."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for net, row in rows:
        passed = sum(entry["answer"] == "passes" for entry in row.values())
        counts[net.source] = [
            a + b for a, b in zip(counts[net.source], (1, len(row), passed), strict=True)
        ]
    lines = [f"| {source} | {' | '.join(map(str, count))} |" for source, count in counts.items()]
    return ["| from | nets | exports | pass |", "|---|--:|--:|--:|", *lines]


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
    parser.add_argument("--net", nargs="+", default=[], help="nets by name, again")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("docs/compatibility.md"))
    options = parser.parse_args()
    STATE.mkdir(parents=True, exist_ok=True)
    (STATE / "device.toml").write_text(_DEVICE)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    every, until = nets(), time.monotonic() + options.minutes * 60
    _take_answers(options.output.with_suffix(".json"))
    _import_converters()
    for _ in range(options.processes - 1):
        if os.fork() == 0:
            break
    for net in every:
        if options.only not in (None, net.source) or (options.net and net.name not in options.net):
            continue
        if net.source == "ultralytics" and not find_spec("ultralytics"):
            continue  # it is in no extra but its own, and the rows stay as they are
        with _claimed(net) as alone:
            missing = [f for f in FORMATS if options.net or not _file(net, f).exists()]
            if not alone or not missing or time.monotonic() > until:
                continue
            for format, told in answers(net, missing).items():
                _file(net, format).write_text(json.dumps(told))
        print(net.name, _row(net), flush=True)
        _write(every, options.output)
    _write(every, options.output)


@contextlib.contextmanager
def _claimed(net: Net) -> Iterator[bool]:
    """Claim the net, unless a second process of this program is at it."""
    with (STATE / f"{net.source}-{net.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _import_converters() -> None:
    """Import once, before the forks, what each export imports."""
    importlib.import_module("edgevit.frontend.torchvision_ops").make_torchvision_importable()
    names = "edgevit.export timm transformers torchvision coremltools litert_torch executorch.exir onnxscript"
    for name in names.split():
        importlib.import_module(name)
    for format in FORMATS:
        importlib.import_module(f"edgevit.backends.{format}.backend")
    first = Net("zoo", "vit", "zoo:vit-i16-p4-d16-h1-l1")  # for what they build on first use
    _exported(first, FORMATS, STATE / "first")


def _file(net: Net, format: str) -> Path:
    return STATE / f"{net.source}-{net.name}-{format}.json"


def _take_answers(page: Path) -> None:
    """Go on from the page that is there; what neither passed nor was refused is tried again."""
    entries = json.loads(page.read_text()) if page.is_file() else []
    for entry in entries:
        for format, told in entry["formats"].items():
            file = STATE / f"{entry['from']}-{entry['net']}-{format}.json"
            if not file.exists() and told["answer"] in ("passes", "refused"):
                file.write_text(json.dumps(told))


def _write(every: Sequence[Net], page: Path) -> None:
    rows = [(net, row) for net in every if (row := _row(net))]
    page.write_text(render(rows, len(every)))
    entries = [{"from": net.source, "net": net.name, "formats": row} for net, row in rows]
    page.with_suffix(".json").write_text(json.dumps(entries, indent=0) + "\n")


def _row(net: Net) -> dict[str, Any]:
    """Return the answers so far, by format."""
    files = {format: _file(net, format) for format in FORMATS}
    return {format: json.loads(f.read_text()) for format, f in files.items() if f.exists()}


if __name__ == "__main__":
    main()
