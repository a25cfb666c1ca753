"""Boxes, pixels, depths, rankings and words of an artifact beside the model's own, on photographs.

    python benchmarks/task_metrics.py [--output docs/task-metrics.md] [--trained]

Live random weights; the two photographs of scikit-learn. Nets with trained weights (`make bed`) answer for labelled photographs,
rendered words and rendered pages. Each artifact runs in its own runtime here, a Core ML package in edgevit's
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
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgevit
from benchmarks.small_configs import INPUT_SIZE, SMALL_CONFIGS
from edgevit.backends.coreml.backend import open_function
from edgevit.backends.on_host import fitted as as_declared
from edgevit.backends.worker import Worker
from edgevit.frontend import ModelSource, build_source, eager
from tests.quantize.bed.photographs import lite0
from tests.quantize.bed.photographs import photographs as labelled_photographs
from tests.quantize.bed.words import detector, pages, recogniser, texts, words

_FORMATS = {"iphone": ["coreml"], "linux-x86": ["onnx", "tflite", "executorch"]}  # by target
_BOXES = 50  # of the highest scores
_COVERS = 0.9  # of a matched box: intersection over union
_NEAR = 0.01  # of a depth
_WORDS, _PAGES = 48, 6  # that the trained nets read
_IS_TEXT = 0.3  # probability: the detector's own threshold
_TEXTS = "pixel_values=1x3x32x32,input_ids=8x16:int64:100"  # a picture beside eight texts
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


def near_depths(model: Outputs, artifact: Outputs) -> float:
    """Share of pixels whose depth is the model's within a hundredth."""
    return float(((artifact[0] - model[0]).abs() <= _NEAR * model[0].abs()).float().mean())


def depths(model: Outputs) -> int:
    """Count the depths that are a hundredth of the mean apart."""
    return len((model[0] / model[0].abs().mean() / _NEAR).round().unique())


def same_order(model: Outputs, artifact: Outputs) -> float:
    """Share of each two texts that fit the picture in the same order."""
    signs = [(scores[0][:, None] - scores[0][None]).sign()[*_pairs(scores[0])] for scores in (model[0], artifact[0])]  # fmt: skip
    return float((signs[0] == signs[1]).float().mean())


def _pairs(scores: Tensor) -> Tensor:
    return torch.triu_indices(len(scores), len(scores), 1)


def different_texts(model: Outputs) -> int:
    return len(model[0][0].unique())


def cosine(model: Outputs, artifact: Outputs) -> float:
    """Cosine of the features, without what is alike at every place."""
    a, b = (_apart(outputs[0]) for outputs in (model, artifact))
    return float(torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), 0))


def _apart(features: Tensor) -> Tensor:
    return features - features.mean((-2, -1), keepdim=True)


def kinds_of_features(model: Outputs) -> int:
    """Count the channels that are the largest somewhere."""
    return len(model[0].argmax(1).unique())


def text(places: Tensor) -> list[int]:
    return [place for place in places.unique_consecutive().tolist() if place]


@dataclass(frozen=True)
class Task:
    name: str
    spec: str
    size: int | None
    metric: str
    agreement: Callable[[Outputs, Outputs], float]
    # Of the model's answers: of one class they would agree always.
    variety: Callable[[Outputs], int]
    inputs: str | None = None

    def options(self) -> dict[str, Any]:
        return {"weights": "random", "input_size": self.size, "inputs": self.inputs}


def of_boxes(read: Reader) -> Judges:
    return matched(read), classes_of_boxes(read)


def tasks(configs: Path) -> Iterator[Task]:
    pixels, features = (mean_overlap, classes_of_pixels), (cosine, kinds_of_features)
    for name, metric, judges in (
        ("segformer", "mIoU", pixels),
        ("pp-ocr-v6-tiny", "words", (same_words, letters)),
        ("rt-detr", "boxes matched", of_boxes(boxes_of_queries)),
        ("rf-detr", "boxes matched", of_boxes(boxes_of_queries)),
        ("dpt", "depths", (near_depths, depths)),
        ("depth-anything", "depths", (near_depths, depths)),
        ("clip", "order of texts", (same_order, different_texts)),
        ("sam", "cosine", features),
        ("edgetam", "cosine", features),
    ):
        (configs / name).mkdir()
        (configs / name / "config.json").write_text(json.dumps(SMALL_CONFIGS[name]))
        inputs = _TEXTS if name == "clip" else None
        yield Task(name, f"hf:{configs / name}", INPUT_SIZE.get(name), metric, *judges, inputs)
    for name in ("yolo11n", "yolo26n") if find_spec("ultralytics") else ():
        judges = of_boxes(boxes_of_rows)
        yield Task(name, f"ultralytics:{name}", 160, "boxes matched", *judges)
    for name in ("lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large"):
        yield Task(name, f"torchvision:{name}", 128, "mIoU", *pixels)


def photographs(shape: torch.Size, mean: Tensor, std: Tensor) -> Iterator[Tensor]:
    """Return scikit-learn's photographs as the model takes them."""
    from sklearn.datasets import load_sample_images

    for image in load_sample_images().images:
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255
        fitted = torch.nn.functional.interpolate(pixels, shape[2:], mode="bilinear", antialias=True)
        yield (fitted - mean) / std


def row(task: Task, folder: Path) -> str:
    source = build_source(task.spec, None, **task.options())
    pictures = [fitted(source, picture) for picture in photographs(*_taken(source))]
    model = [eager(source)(inputs) for inputs in pictures]
    cells = []
    for format, result in exported(task.spec, folder, **task.options()).items():
        run = opened(format, result)
        shares = [task.agreement(own, run(x)) for x, own in zip(pictures, model, strict=True)]
        cells.append(f"{np.mean(shares):.3f}")
    counts = ", ".join(str(task.variety(outputs)) for outputs in model)
    return f"| `{task.name}` | {task.metric} | {counts} | {' | '.join(cells)} |"


def _taken(source: ModelSource) -> tuple[torch.Size, Tensor, Tensor]:
    stated, image = source.preprocess, source.inputs[_image(source)]
    values = (stated.mean, stated.std) if stated else ((0.0,) * 3, (1.0,) * 3)
    mean, std = (torch.tensor(one).reshape(1, 3, 1, 1) for one in values)
    return image.shape, mean, std


def _image(source: ModelSource) -> int:
    return next(i for i, x in enumerate(source.inputs) if x.dim() == 4)


def fitted(source: ModelSource, picture: Tensor) -> Outputs:
    """Return the example inputs with the picture in the image's place."""
    at = _image(source)
    return tuple(picture if i == at else x for i, x in enumerate(source.inputs))


@dataclass(frozen=True)
class Trained:
    """A net with trained weights, and what it answers for: `right` counts the answers that are."""

    name: str
    metric: str
    net: nn.Module
    images: Tensor
    agreement: Callable[[Tensor, Tensor], float]
    right: Callable[[list[Tensor]], int]
    asked: int


def trained() -> Iterator[Trained]:
    images, labels = labelled_photographs()
    yield Trained(
        "EfficientNet-Lite0", "same class", lite0(), images,
        lambda own, other: float(own.argmax() == other.argmax()),
        lambda answers: sum(int(one.argmax() == label) for one, label in zip(answers, labels, strict=True)),
        len(labels),
    )  # fmt: skip
    written, said = words(_WORDS)
    yield Trained(
        "PP-OCRv4's recogniser", "same word", recogniser(), written,
        lambda own, other: float(texts(own) == texts(other)),
        lambda answers: sum(texts(one) == [word] for one, word in zip(answers, said, strict=True)),
        len(said),
    )  # fmt: skip
    sheets, middles = pages(_PAGES)
    yield Trained(
        "PP-OCRv4's detector", "IoU of text", detector(), sheets, overlap_of_text,
        lambda answers: sum(found(one, middle) for one, middle in zip(answers, middles, strict=True)),
        sum(map(len, middles)),
    )  # fmt: skip


def overlap_of_text(own: Tensor, other: Tensor) -> float:
    a, b = own > _IS_TEXT, other > _IS_TEXT
    return float((a & b).sum() / (a | b).sum())


def found(probability: Tensor, middles: list[tuple[int, int]]) -> int:
    return sum(bool(probability[0, 0, row, column] > _IS_TEXT) for row, column in middles)


def trained_row(task: Trained, folder: Path) -> str:
    own = [task.net(image) for image in task.images.split(1)]
    cells = [f"{task.right(own)} of {task.asked}"]
    for format, result in exported(task.net, folder, example_inputs=task.images[:1]).items():
        run = opened(format, result)
        answers = [run((image,))[0] for image in task.images.split(1)]
        equal = np.mean([task.agreement(a, b) for a, b in zip(own, answers, strict=True)])
        cells.append(f"{equal:.3f}, {task.right(answers)} right")
    return f"| {task.name} | {task.metric} | {' | '.join(cells)} |"


def exported(model: Any, folder: Path, **options: Any) -> dict[str, edgevit.ExportResult]:
    results: dict[str, edgevit.ExportResult] = {}
    for target, formats in _FORMATS.items():
        outcomes = edgevit.export(
            model, target=target, formats=formats, output=folder / target, **options
        )
        results |= {format: outcomes[format] for format in formats}
    return results


def opened(format: str, result: edgevit.ExportResult) -> Callable[[Outputs], Outputs]:
    if format == "coreml":
        return open_function(result.artifact, None, result.manifest["precision"])
    worker = Worker(format, 1)
    worker.open(result.artifact)

    def run(inputs: Outputs) -> Outputs:
        arrays = [tensor.numpy() for tensor in inputs]
        taken = as_declared(worker.inputs, arrays, str(result.artifact))  # int32 for int64
        return tuple(torch.from_numpy(np.array(a)) for a in worker.run(taken))

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--trained", action="store_true", help="The trained nets alone.")
    options = parser.parse_args()
    rows: list[str] = []
    of_trained: list[str] = []

    def written(into: list[str], line: str) -> None:
        print(line, flush=True)
        into.append(line)
        if options.output:
            options.output.write_text(page(rows, of_trained))

    with tempfile.TemporaryDirectory() as folder:
        for number, one in enumerate(trained()):
            written(of_trained, trained_row(one, Path(folder) / f"trained-{number}"))
        for task in () if options.trained else tasks(Path(folder)):
            written(rows, row(task, Path(folder) / "exports" / task.name))


def page(rows: list[str], of_trained: list[str]) -> str:
    names = [format for formats in _FORMATS.values() for format in formats]
    return "\n".join(
        [
            "# Task metrics",
            "",
            "By `python benchmarks/task_metrics.py`: each artifact beside its model in the metric of the task. Core ML in fp16, in edgevit's interpreter; the others in fp32, each in its runtime.",
            "",
            "## Trained weights",
            "",
            f"The share of pictures where the artifact answers as the model does, and how many answers are right: 20 labelled photographs of ImageNet; {_WORDS} rendered words; {_PAGES} rendered pages of eight words each, of which the pixels above {_IS_TEXT} count as text and a word is found where its middle does (there the share is the mean intersection over union with the model's own pixels). `make bed` puts weights and photographs there.",
            "",
            f"| net | metric | model | {' | '.join(names)} |",
            "|---|---|---|" + "---|" * len(names),
            *of_trained,
            "",
            "## Random weights",
            "",
            "On scikit-learn's two photographs; the figures are agreement, not accuracy.",
            f"Boxes: the share of the model's {_BOXES} of the highest scores that the artifact has among its {2 * _BOXES}, of the same class and covered to {_COVERS}. mIoU: mean intersection over union of the classes of pixels. Words: the share of equal texts, read greedily. Depths: the share of pixels within {_NEAR:.0%}. Order of texts: the share of each two of eight texts that fit the photograph in the same order. Cosine: of the features, without their mean over places.",
            "*Answers*: how many classes, letters, depths, scores or strongest channels the model itself has on each photograph.",
            "",
            f"| net | metric | answers | {' | '.join(names)} |",
            "|---|---|---|" + "---|" * len(names),
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    main()
