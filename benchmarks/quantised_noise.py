"""Noise of int8 on nets with live random weights, against each runtime's own recipe: `make matrix`.

    python benchmarks/quantised_noise.py [--output PAGE] [--formats F,...] [--recipes R,...] [--whose default,ours] [NET ...]

Every net reads the same photographs, 24 crops to calibrate and 16 of others to be judged. The figure is the ratio of
the float logits to the error of the file's, over all judged pictures. `static` is the recipe of each runtime's
documentation, `dynamic` its recipe that quantises activations at run time. Our files of a net are written in one call,
which calibrates once; a recipe of a runtime runs in a process of its own. Figures are kept in out/noise/ as they come,
so an interrupted run goes on where it stopped; --fresh measures all of them again, and --ours those of our files.
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
    parser.add_argument("--one", nargs=3, metavar=("NET", "FORMATS", "KEY"), help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.one:
        net, formats, key = words.one
        measure(net, formats.split(","), key)
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
    for net in words.nets:
        for key in keys:
            missing = [
                format
                for one, format in pairs
                if one == net and (key != SPENT or (net, format) in MIXED)
                if key in again or key not in kept(net, format)
            ]
            one_call = key.startswith("ours") and key != SPENT
            for formats in [missing] if one_call and missing else [[one] for one in missing]:
                in_own_process(net, formats, key)
    text = page({pair: kept(*pair) for pair in pairs if cached(*pair).exists()})
    print(text)
    if words.output:
        words.output.write_text(text)


def cached(net: str, format: str) -> Path:
    return CACHE / f"{net}-{format}.json"


def kept(net: str, format: str) -> Figures:
    path = cached(net, format)
    return json.loads(path.read_text()) if path.exists() else {}


def keep(net: str, format: str, key: str, figure: float | str) -> None:
    cached(net, format).write_text(json.dumps(kept(net, format) | {key: figure}))


def in_own_process(net: str, formats: Sequence[str], key: str) -> None:
    command = [sys.executable, __file__, "--one", net, ",".join(formats), key]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    sys.stderr.write(done.stderr[-1000:] if done.returncode else "")
    for format in formats:
        if key in kept(net, format):
            print(net, format, key, kept(net, format)[key], file=sys.stderr, flush=True)


def measure(net: str, formats: Sequence[str], key: str) -> None:
    """Measure and keep one column of a net, for each format."""
    torch.set_num_threads(1)
    source = resolve(f"timm:{net}", weights="random")
    calibration, judged = pictures(source)
    with torch.no_grad():
        logits = source.module(judged)
    whose, recipe = key.split()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "calibration.npy", calibration.numpy())
        if key == SPENT:
            for format in formats:
                keep(net, format, key, mixed(net, format, folder, judged, logits))
        elif whose == "ours":
            results = exported(net, formats, OURS[recipe], folder)
            for format in formats:
                keep(net, format, key, tried(partial(opened, results, format), judged, logits))
        else:
            for format in formats:
                build = partial(DEFAULTS[recipe][format], source.module, calibration, folder)
                keep(net, format, key, tried(build, judged, logits))


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
    results = exported(net, [format], "mixed", folder, f"macs={MIXED[net, format]}%")
    run = opened(results, format)
    outputs = torch.cat([run(x) for x in judged.split(1)])
    cosine = float(torch.cosine_similarity(outputs, logits).mean())
    share = results[format].manifest["quantization"]["mixed"]["macs"]
    return f"cosine {cosine:.4f} with {share:.1%} of the multiply-accumulates in floats"


def opened(results: edgevit.ExportResults, format: str) -> Run:
    session = open_session(format, results[format].artifact, threads=1)
    return lambda x: torch.from_numpy(session.run([x.numpy()])[0])


def exported(
    net: str, formats: Sequence[str], precision: str, folder: Path, budget: str | None = None
) -> edgevit.ExportResults:
    return edgevit.export(
        f"timm:{net}",
        target="linux-x86",
        formats=formats,
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
