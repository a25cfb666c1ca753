"""Accuracy of integers on the trained nets of tests/quantize/bed, each read from its exported folder: `make bench`.

    python benchmarks/quantised_accuracy.py [--output PAGE] [--formats F,...] [--precisions P,...] [NET ...]

Each net is exported on 96 calibration pictures and evaluated on the 597 test pictures. `float` is the model in PyTorch.
`lite0` (EfficientNet-Lite0, ImageNet) is calibrated on mirrored photographs and evaluated on the 20 photographs, `words`
(PP-OCRv4's recogniser) on 32 words and on 200 others: both need `make bed`.
Rows are kept in out/accuracy/, so an interrupted run goes on where it stopped; --fresh starts over.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import edgevit
from edgevit.quantize import CalibrationOptions
from edgevit.support.backend_info import info_of
from tests import ROOT
from tests.quantize import bed
from tests.quantize.bed.photographs import lite0, photographs
from tests.quantize.bed.words import recogniser, texts, words

OTHERS = ("lite0", "words")
WORDS, WORDS_SEEN = 200, 32
NETS = (
    "vit", "hybrid", "mvit", "conv", "registers",
    "vit_injected", "hybrid_injected", "conv_injected", "mvit_injected",
    *OTHERS,
)  # fmt: skip
TARGETS = {"coreml": "iphone-16", "mcu": "qemu-m7", "qnn": "galaxy-s25"}
FORMATS = ("onnx", "executorch", "tflite", "coreml", "mcu", "qnn")
PICTURES = 96
CACHE = Path("out/accuracy")
HEAD = "| net | format | precision | float top-1 | file top-1 | held-out noise |\n|---|---|---|--:|--:|--:|"


def rows(
    nets: list[str],
    formats: list[str],
    precisions: list[str],
    folder: Path,
    fresh: bool,
    measured: bool,
) -> Iterator[str]:
    pictures, labelled = folder / "train", folder / "test"
    bed.write_folder(pictures, "train", PICTURES)
    bed.write_folder(labelled, "test", None)
    for net in nets:
        other = others(net) if net in OTHERS and not measured else None
        whole = 0.0 if measured or other else float_accuracy(net)
        for format in formats:
            for precision in precisions:
                if precision in info_of(format).precisions:
                    path = CACHE / f"{net}-{format}-{precision}.txt"
                    if fresh or not (measured or path.exists()):
                        line = (
                            other.row(net, format, precision, folder)
                            if other
                            else row(net, format, precision, whole, folder)
                        )
                        path.write_text(line)
                    if path.exists():
                        yield path.read_text()


def row(net: str, format: str, precision: str, whole: float, folder: Path) -> str:
    head = f"| {net} | {format} | {precision} | {whole:.2f}"
    try:
        result = edgevit.export(
            f"{ROOT}/tests/quantize/bed/nets.py:{net}",
            target=TARGETS.get(format, "linux-x86"),
            format=format,
            precision=precision,
            calibration=CalibrationOptions(str(folder / "train")),
            output=folder / f"{net}-{format}-{precision}",
        )
        evaluation = edgevit.evaluate(result.directory, folder / "test")
    except edgevit.EdgevitError as error:
        return f"{head} | refused: {error.message} | |"
    assert evaluation.accuracy is not None
    noise = (result.manifest.get("quantization") or {}).get("snr", {}).get("held_out")
    failed = "" if result.passed else " (parity failed)"
    shown = "" if noise is None else f"{noise:.1f} dB"
    return f"{head} | {evaluation.accuracy.top1:.2f}{failed} | {shown} |"


@dataclass(frozen=True)
class Others:
    """A net that is not of the bed's digits: what it is calibrated and evaluated on, and how."""

    model: nn.Module
    seen: torch.Tensor
    images: torch.Tensor
    shown: Callable[[torch.Tensor], str]  # what the outputs are worth

    def row(self, net: str, format: str, precision: str, folder: Path) -> str:
        whole = torch.cat([self.model(image) for image in self.images.split(1)])
        head = f"| {net} | {format} | {precision} | {self.shown(whole)}"
        written: list[torch.Tensor] = []

        def metric(outputs: tuple[Any, ...], _: object) -> float:
            written.append(torch.from_numpy(np.asarray(outputs[0])))
            return 0.0

        data = folder / f"{net}.npz"
        np.savez(data, images=self.images.numpy(), labels=np.arange(len(self.images)))
        try:
            result = edgevit.export(
                self.model,
                self.seen[:1],
                target=TARGETS.get(format, "linux-x86"),
                format=format,
                precision=precision,
                calibration=self.seen.split(1),
                output=folder / f"{net}-{format}-{precision}",
            )
            edgevit.evaluate(result.directory, data, metric=metric)
        except edgevit.EdgevitError as error:
            return f"{head} | refused: {error.message} | |"
        noise = result.manifest["quantization"]["snr"]["held_out"]  # type: ignore[index]
        return f"{head} | {self.shown(written[0])} | {noise:.1f} dB |"


def others(net: str) -> Others:
    if net == "lite0":
        images, labels = photographs()

        def ranks(outputs: torch.Tensor) -> str:
            first = outputs.argsort(1, descending=True)[:, :5] == labels[:, None]
            return f"{int(first[:, 0].sum())} and {int(first.any(1).sum())} of 20"

        return Others(lite0(), images.flip(-1), images, ranks)
    images, said = words(WORDS + WORDS_SEEN)

    def right(outputs: torch.Tensor) -> str:
        read = texts(outputs)
        return f"{sum(a == b for a, b in zip(read, said[:WORDS], strict=True))} of {WORDS}"

    return Others(recogniser(), images[WORDS:], images[:WORDS], right)


def worst_losses(lines: list[str]) -> list[str]:
    """Return a table of the largest loss of top-1 of any of the bed's nets, as docs/quantisation.md has it."""
    losses: dict[tuple[str, str], list[float]] = {}
    for line in lines:
        net, format, precision, whole, file, *_ = (cell.strip() for cell in line.split("|")[1:])
        if net not in OTHERS and not file.startswith("refused"):
            loss = float(whole) - float(file.split()[0])
            losses.setdefault((format, precision), []).append(loss)
    shown = {
        key: f"{max(0.0, *some):.2f} of {len(some)} nets" for key, some in sorted(losses.items())
    }
    precisions = list(dict.fromkeys(precision for _, precision in shown))
    formats = [format for format in FORMATS if any(format == one for one, _ in shown)]
    return [
        f"| format | {' | '.join(f'`{precision}`' for precision in precisions)} |",
        "|---|" + "--:|" * len(precisions),
        *(
            f"| `{format}` | {' | '.join(shown.get((format, one), '') for one in precisions)} |"
            for format in formats
        ),
    ]


def float_accuracy(net: str) -> float:
    images, labels = bed.pictures("test")
    model = bed.net(net.removesuffix("_injected"), injected=net.endswith("_injected"))
    with torch.no_grad():
        return bed.accuracy(model(images), labels)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("nets", nargs="*", default=NETS)
    parser.add_argument("--output", type=Path, help="write the table here too")
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--precisions", default="int8,w4a8,w8a16")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--measured", action="store_true", help="a page of what is there already")
    words = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    nets, formats, precisions = (
        list(words.nets),
        words.formats.split(","),
        words.precisions.split(","),
    )
    torch.set_num_threads(1)
    lines = [HEAD]
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        there = words.fresh, words.measured
        for line in rows(nets, formats, precisions, Path(folder), *there):
            print(line, flush=True)
            lines.append(line)
    print("", *worst_losses(lines[1:]), sep="\n")
    if words.output:
        words.output.write_text("\n".join([*PAGE, "", *lines, ""]))


PAGE = (
    "# Accuracy of integers on trained nets",
    "",
    "Measured from the exported folders by `python benchmarks/quantised_accuracy.py`. The nets are those of",
    "`tests/quantize/bed`, trained on scikit-learn's digits; one picture of 597 is 0.17 points. `_injected` nets compute",
    "the same function with outliers put in. Every runtime's own static recipe loses 60 points or more on three of them;",
    "`mvit_injected` is the exception (`tests/quantize/test_bed.py`). Rows that are missing have not been measured.",
    "",
    "`lite0` is EfficientNet-Lite0 with its ImageNet weights on 20 photographs: right, and right among the first five.",
    "`words` is PP-OCRv4's recogniser on 200 rendered words: read without a mistake.",
)

if __name__ == "__main__":
    main()
