"""Noise of int8 on nets with live random weights, against each runtime's own recipe: `make matrix`.

    python benchmarks/quantised_noise.py [--output PAGE] [--formats F,...] [--recipes R,...] [--whose default,ours] [NET ...]

Every net reads the same photographs, 24 crops to calibrate and 16 of others to be judged. The figure is the ratio of
the float logits to the error of the file's, over all judged pictures. `static` is the recipe of each runtime's
documentation, `dynamic` its recipe that quantises activations at run time. Each pair of a net and a format runs in a
process of its own. Figures are kept in out/noise/, so an interrupted run goes on where it stopped; --fresh measures all of them again,
and --ours those of our files.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from operator import contains
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import edgevit
from edgevit.backends.session import open_session
from edgevit.frontend.resolve import resolve
from edgevit.frontend.source import ModelSource
from edgevit.quantize import CalibrationOptions
from tests.quantize.bed import defaults
from tests.quantize.bed.photographs import packaged

NETS = (
    "deit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "shvit_s1", "efficientvit_m0", "efficientformer_l1",
    "mobilevit_xxs", "fastvit_t8", "levit_128s", "tiny_vit_5m_224", "pvt_v2_b0",
)  # fmt: skip
FORMATS = ("onnx", "tflite", "executorch")
DEFAULTS = {"static": defaults.RUNTIMES, "dynamic": defaults.DYNAMIC}
OURS = {"static": "int8", "dynamic": "int8-dynamic"}
MIXED = {
    ("shvit_s1", "onnx"): 20,
    ("mobilevit_xxs", "onnx"): 10,
}  # percent of the multiply-accumulates
CACHE = Path("out/noise")
CALIBRATED, JUDGED = 24, 16
Figures = dict[str, float | str]  # by whose and which recipe; a text says why there is none
Run = Callable[[torch.Tensor], torch.Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("nets", nargs="*", default=NETS)
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--output", type=Path, help="write the page here too")
    parser.add_argument("--recipes", default=f"{','.join(OURS)},mixed")
    parser.add_argument("--whose", default="default,ours", help="measure these alone")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument(
        "--ours", action="store_true", help="measure our files again, not the others"
    )
    parser.add_argument("--measured", action="store_true", help="a page of what is there already")
    parser.add_argument("--one", nargs=3, metavar=("NET", "FORMAT", "KEYS"), help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.one:
        net, format, keys = words.one
        print(json.dumps(figures(net, format, keys.split(","))))
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    pairs = [(net, format) for net in words.nets for format in words.formats.split(",")]
    if words.measured:
        pairs = [pair for pair in pairs if cached(*pair).exists()]
    all_keys = (*COLUMNS, SPENT)
    again = (
        all_keys if words.fresh else [k for k in all_keys if words.ours and k.startswith("ours")]
    )
    asked = (set(words.whose.split(",")), set(words.recipes.split(",")))
    keys = [k for k in all_keys if all(map(contains, asked, k.split()))]
    keys = [] if words.measured else keys
    table = {
        pair: kept(*pair, keys if pair in MIXED else [k for k in keys if k != SPENT], again)
        for pair in pairs
    }
    text = page(table)
    print(text)
    if words.output:
        words.output.write_text(text)


def cached(net: str, format: str) -> Path:
    return CACHE / f"{net}-{format}.json"


def kept(net: str, format: str, keys: Sequence[str], again: Sequence[str]) -> Figures:
    """Return the figures of a pair. Those of `keys` are measured that are not there, or that `again` names."""
    path = cached(net, format)
    there: Figures = json.loads(path.read_text()) if path.exists() else {}
    missing = [key for key in keys if key in again or key not in there]
    if missing:
        command = [sys.executable, __file__, "--one", net, format, ",".join(missing)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return {"failed": done.stderr.strip().splitlines()[-1]}
        there |= json.loads(done.stdout.splitlines()[-1])
        path.write_text(json.dumps(there))
        print(net, format, path.read_text(), file=sys.stderr, flush=True)
    return there


def figures(net: str, format: str, keys: Sequence[str]) -> Figures:
    torch.set_num_threads(1)
    source = resolve(f"timm:{net}", weights="random")
    calibration, judged = pictures(source)
    with torch.no_grad():
        logits = source.module(judged)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "calibration.npy", calibration.numpy())

        def build(key: str) -> Run:
            whose, recipe = key.split()
            if whose == "ours":
                return ours(net, format, OURS[recipe], folder)
            return DEFAULTS[recipe][format](source.module, calibration, folder)

        dense = {key: tried(partial(build, key), judged, logits) for key in keys if key != SPENT}
        return dense | (
            {SPENT: mixed(net, format, folder, judged, logits)} if SPENT in keys else {}
        )


def pictures(source: ModelSource) -> tuple[torch.Tensor, torch.Tensor]:
    """Return crops of 12 photographs to calibrate with, and of 8 others to judge."""
    files = sorted(packaged("foolbox/data").glob("imagenet_*.jpg"))
    random = np.random.default_rng(0)

    def crops(files: Sequence[Path], count: int) -> torch.Tensor:
        return torch.stack([crop(files[i % len(files)], source, random) for i in range(count)])

    return crops(files[:12], CALIBRATED), crops(files[12:], JUDGED)


def crop(file: Path, source: ModelSource, random: np.random.Generator) -> torch.Tensor:
    height, width = source.inputs[0].shape[-2:]
    image = Image.open(file).convert("RGB")
    side = round(min(image.size) * random.uniform(0.7, 1))
    left, top = (int(random.integers(0, whole - side + 1)) for whole in image.size)
    part = image.crop((left, top, left + side, top + side)).resize((width, height))
    how = source.preprocess
    assert how is not None
    pixels = np.asarray(part, np.float32) / 255
    return torch.from_numpy((pixels - np.float32(how.mean)) / np.float32(how.std)).permute(2, 0, 1)


def tried(build: Callable[[], Run], judged: torch.Tensor, logits: torch.Tensor) -> float | str:
    """Return the decibels, or why there are none."""
    try:
        run = build()
        outputs = torch.cat([run(image).reshape(1, -1) for image in judged.split(1)])
    except edgevit.EdgevitError as error:
        return error.message
    except Exception as error:  # a default recipe may fail in many ways: its words are the figure
        return f"{type(error).__name__}: {error}".splitlines()[0][:80]
    noise = (outputs - logits).square().sum().item()
    return 10 * math.log10(logits.square().sum().item() / noise) if noise else math.inf


def mixed(net: str, format: str, folder: Path, judged: torch.Tensor, logits: torch.Tensor) -> str:
    """Return the cosine of the logits, mean over the pictures, and what it costs."""
    result = exported(net, format, "mixed", folder, f"macs={MIXED[net, format]}%")
    session = open_session(format, result.artifact, threads=1)
    outputs = torch.cat([torch.from_numpy(session.run([x.numpy()])[0]) for x in judged.split(1)])
    cosine = float(torch.cosine_similarity(outputs, logits).mean())
    share = result.manifest["quantization"]["mixed"]["macs"]
    return f"cosine {cosine:.4f} with {share:.1%} of the multiply-accumulates in floats"


def ours(net: str, format: str, precision: str, folder: Path) -> Run:
    result = exported(net, format, precision, folder)
    session = open_session(format, result.artifact, threads=1)
    return lambda x: torch.from_numpy(session.run([x.numpy()])[0])


def exported(
    net: str, format: str, precision: str, folder: Path, budget: str | None = None
) -> edgevit.ExportResult:
    return edgevit.export(
        f"timm:{net}",
        target="linux-x86",
        format=format,
        precision=precision,
        calibration=CalibrationOptions(str(folder / "calibration.npy"), mixed_budget=budget),
        output=folder / precision,
        weights="random",
    )


def page(table: dict[tuple[str, str], Figures]) -> str:
    rows = [row(net, format, one) for (net, format), one in table.items()]
    compared = sum(gained(one, "static") is not None for one in table.values())
    missing = len(NETS) * len(FORMATS) - compared
    note = [f"Static files of {missing} pairs have not been compared.", ""] if missing else []
    return "\n".join([*HEAD, *rows, "", *summary(table), *spent(table), "", *note])


def row(net: str, format: str, one: Figures) -> str:
    cells = [shown(one.get(key, one.get("failed", ""))) for key in COLUMNS]
    return f"| {net} | {format} | {' | '.join(cells)} |"


def shown(figure: float | str) -> str:
    return f"{figure:.1f}" if isinstance(figure, float) else str(figure).replace("|", "/")


def summary(table: dict[tuple[str, str], Figures]) -> list[str]:
    lines = []
    for recipe in OURS:
        gains = [
            (gain, net, format)
            for (net, format), one in table.items()
            if (gain := gained(one, recipe)) is not None
        ]
        if gains:
            worst, net, format = min(gains)
            lines.append(
                f"- {recipe}: ours is {statistics.median(g for g, *_ in gains):+.1f} dB against the default in the "
                f"median of {len(gains)}, at worst {worst:+.1f} dB ({net}, {format})."
            )
    return lines


def spent(table: dict[tuple[str, str], Figures]) -> list[str]:
    return [
        f"- `--precision mixed --mixed-budget macs={MIXED[net, format]}%`: {net}, {format}: {one[SPENT]}."
        for (net, format), one in table.items()
        if SPENT in one
    ]


def gained(one: Figures, recipe: str) -> float | None:
    a, b = one.get(f"ours {recipe}"), one.get(f"default {recipe}")
    return a - b if isinstance(a, float) and isinstance(b, float) else None


SPENT = "ours mixed"
COLUMNS = ("default static", "ours static", "default dynamic", "ours dynamic")
HEAD = (
    "# Noise of int8 on live random nets",
    "",
    "Measured from the files by `python benchmarks/quantised_noise.py`: decibels of float logits over the error, higher",
    "is better. Weights are random with live norms, pictures are photographs, calibration and judgement on different ones.",
    "ONNX Runtime's own static recipe is run so that no product of bytes saturates, as on x86 CPUs without VNNI they do.",
    "",
    "| net | format | default static | ours static | default dynamic | ours dynamic |",
    "|---|---|--:|--:|--:|--:|",
)

if __name__ == "__main__":
    main()
