"""Boxes, pixels and words of an artifact beside the model's own, on photographs.

    python benchmarks/task_metrics.py [--output docs/task-metrics.md]

Live random weights; the two photographs of scikit-learn. Each artifact runs in its own runtime here, a Core ML package in edgevit's
interpreter, rounded as on the device. A box counts as matched where the artifact has one of the same class that covers it to
0.9. The YOLO nets are left out without `pip install 'edgevit[ultralytics]'`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgevit
from benchmarks.small_configs import INPUT_SIZE, SMALL_CONFIGS
from edgevit.backends.coreml.backend import open_function
from edgevit.backends.worker import Worker
from edgevit.frontend import build_source, eager

_FORMATS = {"iphone": ["coreml"], "linux-x86": ["onnx", "tflite", "executorch"]}  # by target
_BOXES = 50  # of the highest scores
_COVERS = 0.9  # of a matched box: intersection over union
Outputs = tuple[Tensor, ...]
Reader = Callable[[Outputs], tuple[Tensor, Tensor, Tensor]]  # boxes, scores, classes
Judges = tuple[Callable[[Outputs, Outputs], float], Callable[[Outputs], int]]


def boxes_of_rows(outputs: Outputs) -> tuple[Tensor, Tensor, Tensor]:
    """Read ultralytics' columns: centre and size, and a score for each class."""
    values = outputs[0][0].T
    score, kind = values[:, 4:].max(1)
    return values[:, :4], score, kind


def boxes_of_queries(outputs: Outputs) -> tuple[Tensor, Tensor, Tensor]:
    """Read DETR's logits and boxes."""
    logits, boxes = outputs[0][0], outputs[1][0]
    score, kind = logits.max(1)
    return boxes, score, kind


def matched(read: Reader) -> Callable[[Outputs, Outputs], float]:
    def share(model: Outputs, artifact: Outputs) -> float:
        boxes, score, kind = read(model)
        best = score.argsort(descending=True)[:_BOXES]
        others, other_score, other_kind = read(artifact)
        theirs = other_score.argsort(descending=True)[: 2 * _BOXES]
        covers = overlaps(boxes[best], others[theirs]) >= _COVERS
        same = kind[best][:, None] == other_kind[theirs][None]
        return float((covers & same).any(1).float().mean())

    return share


def classes_of_boxes(read: Reader) -> Callable[[Outputs], int]:
    def count(model: Outputs) -> int:
        _, score, kind = read(model)
        return len(kind[score.argsort(descending=True)[:_BOXES]].unique())

    return count


def overlaps(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of each two boxes, given as centre and size."""
    low = torch.maximum((a[:, :2] - a[:, 2:] / 2)[:, None], (b[:, :2] - b[:, 2:] / 2)[None])
    high = torch.minimum((a[:, :2] + a[:, 2:] / 2)[:, None], (b[:, :2] + b[:, 2:] / 2)[None])
    both = (high - low).clamp(min=0).prod(2)
    return both / (a[:, 2:].prod(1)[:, None] + b[:, 2:].prod(1)[None] - both)


def mean_overlap(model: Outputs, artifact: Outputs) -> float:
    """Mean intersection over union of the classes of pixels."""
    a, b = model[0].argmax(1), artifact[0].argmax(1)
    shares = [((a == k) & (b == k)).sum() / ((a == k) | (b == k)).sum() for k in a.unique()]
    return float(torch.stack(shares).mean())


def classes_of_pixels(model: Outputs) -> int:
    return len(model[0].argmax(1).unique())


def same_words(model: Outputs, artifact: Outputs) -> float:
    """Share of pictures with the same text, read greedily: repeats and blanks left out."""
    pairs = zip(model[0].argmax(2), artifact[0].argmax(2), strict=True)
    return float(np.mean([text(a) == text(b) for a, b in pairs]))


def letters(model: Outputs) -> int:
    return sum(len(set(text(places))) for places in model[0].argmax(2))


def text(places: Tensor) -> list[int]:
    return [place for place in places.unique_consecutive().tolist() if place]


@dataclass(frozen=True)
class Task:
    name: str
    spec: str
    size: int | None
    metric: str
    agreement: Callable[[Outputs, Outputs], float]
    variety: Callable[
        [Outputs], int
    ]  # of the model's answers: of one class they would agree always


def of_boxes(read: Reader) -> Judges:
    return matched(read), classes_of_boxes(read)


def tasks(configs: Path) -> Iterator[Task]:
    pixels, words = (mean_overlap, classes_of_pixels), (same_words, letters)
    for name, metric, judges in (
        ("segformer", "mIoU", pixels),
        ("pp-ocr-v6-tiny", "words", words),
        ("rt-detr", "boxes matched", of_boxes(boxes_of_queries)),
    ):
        (configs / name).mkdir()
        (configs / name / "config.json").write_text(json.dumps(SMALL_CONFIGS[name]))
        yield Task(name, f"hf:{configs / name}", INPUT_SIZE.get(name), metric, *judges)
    for name in ("yolo11n", "yolo26n") if find_spec("ultralytics") else ():
        judges = of_boxes(boxes_of_rows)
        yield Task(name, f"ultralytics:{name}", 160, "boxes matched", *judges)
    lraspp = "torchvision:lraspp_mobilenet_v3_large"
    yield Task("lraspp_mobilenet_v3_large", lraspp, 128, "mIoU", *pixels)


def photographs(shape: torch.Size, mean: Tensor, std: Tensor) -> Iterator[Tensor]:
    """Return scikit-learn's photographs as the model takes them."""
    from sklearn.datasets import load_sample_images

    for image in load_sample_images().images:
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255
        fitted = torch.nn.functional.interpolate(pixels, shape[2:], mode="bilinear", antialias=True)
        yield (fitted - mean) / std


def row(task: Task, folder: Path) -> str:
    source = build_source(task.spec, None, weights="random", input_size=task.size)
    stated = source.preprocess
    mean, std = (
        torch.tensor(values).reshape(1, 3, 1, 1)
        for values in ((stated.mean, stated.std) if stated else ((0.0,) * 3, (1.0,) * 3))
    )
    pictures = list(photographs(source.inputs[0].shape, mean, std))
    model = [eager(source)((picture, *source.inputs[1:])) for picture in pictures]
    cells = []
    for format, result in exported(task, folder).items():
        run = opened(format, result)
        shares = [
            task.agreement(outputs, run((picture, *source.inputs[1:])))
            for picture, outputs in zip(pictures, model, strict=True)
        ]
        cells.append(f"{np.mean(shares):.3f}")
    counts = ", ".join(str(task.variety(outputs)) for outputs in model)
    return f"| `{task.name}` | {task.metric} | {counts} | {' | '.join(cells)} |"


def exported(task: Task, folder: Path) -> dict[str, edgevit.ExportResult]:
    results: dict[str, edgevit.ExportResult] = {}
    for target, formats in _FORMATS.items():
        outcomes = edgevit.export(
            task.spec, target=target, formats=formats, weights="random", input_size=task.size, output=folder / target,
        )  # fmt: skip
        results |= {format: outcomes[format] for format in formats}
    return results


def opened(format: str, result: edgevit.ExportResult) -> Callable[[Outputs], Outputs]:
    if format == "coreml":
        return open_function(result.artifact, None, result.manifest["precision"])
    worker = Worker(format, 1)
    worker.open(result.artifact)
    return lambda inputs: tuple(
        torch.from_numpy(np.array(a)) for a in worker.run([i.numpy() for i in inputs])
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for task in tasks(Path(folder)):
            rows.append(row(task, Path(folder) / "exports" / task.name))
            print(rows[-1], flush=True)
            if options.output:
                options.output.write_text(page(rows))


def page(rows: list[str]) -> str:
    names = [format for formats in _FORMATS.values() for format in formats]
    return "\n".join(
        [
            "# Task metrics",
            "",
            "By `python benchmarks/task_metrics.py`: boxes, pixels and words of each artifact beside the model's own, on scikit-learn's two photographs. Weights are random, so the figures are agreement, not accuracy.",
            f"Boxes: the share of the model's {_BOXES} of the highest scores that the artifact has among its {2 * _BOXES}, of the same class and covered to {_COVERS}. Pixels: mean intersection over union of the classes. Words: the share of equal texts, read greedily. *Classes*: how many, or how many letters, the model itself answers with on each photograph.",
            "Core ML in fp16, in edgevit's interpreter; the others in fp32, each in its runtime.",
            "",
            f"| net | metric | classes | {' | '.join(names)} |",
            "|---|---|---|" + "---|" * len(names),
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    main()
