"""scikit-learn's digits as grey pictures of 16x16 in 8 bits: 1,200 to learn from, 597 to test on."""

from __future__ import annotations

import csv
import hashlib
from functools import cache
from pathlib import Path

import torch
from PIL import Image
from sklearn.datasets import load_digits

CLASSES = 10
SIZE = 16
MEAN = STD = 0.5
SHA256 = "a5ff044d5dfdfde2808d36cd54663072d63a7b6d7b457c270d2beb2e56bf6d6e"  # of what the nets were trained and scored on
_LEARNT = 1200
_SPLITS = {"train": slice(None, _LEARNT), "test": slice(_LEARNT, None)}


@cache
def pixels() -> tuple[torch.Tensor, torch.Tensor]:
    """Return all pictures, N x 16 x 16 of uint8, and their labels, in one shuffled order.

    The arithmetic is exact in float32 up to the rounding, so the bytes are the same everywhere.
    """
    digits = load_digits()
    grey = torch.tensor(digits.images, dtype=torch.float32)[:, None]
    large = torch.nn.functional.interpolate(grey, (SIZE, SIZE), mode="bilinear")
    order = torch.randperm(len(grey), generator=torch.Generator().manual_seed(0))
    bytes_ = (large[:, 0] * 255 / 16).round().to(torch.uint8)
    return bytes_[order], torch.tensor(digits.target)[order]


def sha256() -> str:
    """Return the hash of all pictures and labels."""
    grey, labels = pixels()
    return hashlib.sha256(grey.numpy().tobytes() + bytes(labels.tolist())).hexdigest()


def pictures(split: str = "test", count: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the first pictures of a split as the nets take them, N x 1 x 16 x 16, and labels."""
    grey, labels = (tensor[_SPLITS[split]][:count] for tensor in pixels())
    return (grey[:, None].float() / 255 - MEAN) / STD, labels


def write_folder(path: Path, split: str = "test", count: int | None = None) -> Path:
    """Write pictures as `CLASS/NUMBER.png` and `labels.csv` with a row `CLASS/NUMBER.png,CLASS` each.

    Read back through the preprocessing that the nets state, they are the tensors of `pictures`.
    """
    grey, labels = (tensor[_SPLITS[split]][:count] for tensor in pixels())
    rows = [(f"{label}/{number:04}.png", label) for number, label in enumerate(labels.tolist())]
    for image, (name, _) in zip(grey, rows, strict=True):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.numpy()).save(path / name)
    with (path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "label"), *rows])
    return path


def accuracy(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Return top-1 in percent."""
    return 100 * (logits.argmax(1) == labels).double().mean().item()
