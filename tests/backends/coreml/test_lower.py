"""A program becomes a package that computes the same thing and says what it is."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import nn

from edgevit.backends.coreml.check import load_package
from edgevit.errors import TargetError, UnsupportedOpError
from edgevit.frontend.pixels import takes_pixels
from tests.backends.coreml.lowering import IMAGENET, Hybrid, far, lowered, source_of

X = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("minimum_os", ["iOS16", "iOS17", "iOS18"])
def test_fp16_ships_and_fp32_is_there_to_check_it(tmp_path: Path, minimum_os: str) -> None:
    torch.manual_seed(0)
    program, artifact = lowered(source_of(Hybrid(), X), tmp_path, "fp16", minimum_os)
    assert artifact.path == tmp_path / "net.mlpackage"
    assert artifact.reference is not None
    assert artifact.path.is_dir()
    assert far(program, artifact.reference, "fp32").rel_l2 < 1e-5
    half = far(program, artifact.path, "fp16")
    assert half.cosine > 0.9999
    assert half.rel_l2 > 1e-5  # it is rounded, so it is not the other package


def test_fp32_needs_no_second_package(tmp_path: Path) -> None:
    torch.manual_seed(0)
    program, artifact = lowered(source_of(Hybrid(), X), tmp_path, "fp32")
    assert artifact.reference is None
    assert [p.name for p in tmp_path.iterdir()] == ["net.mlpackage"]
    assert far(program, artifact.path, "fp32").rel_l2 < 1e-5


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_the_interface_is_float32_at_either_precision(
    tmp_path: Path, precision: Literal["fp16", "fp32"]
) -> None:
    _, artifact = lowered(source_of(Hybrid(), X), tmp_path, precision)
    description = load_package(artifact.path).description
    assert [(f.name, f.type.dtype) for f in description.inputs] == [("x", "fp32")]
    assert [(f.name, f.type.dtype) for f in description.outputs] == [("output", "fp32")]


def test_metadata_says_how_to_use_it(tmp_path: Path) -> None:
    labels = ("a", "b", "c", "d", "e")
    _, artifact = lowered(source_of(Hybrid(), X, preprocess=IMAGENET, labels=labels), tmp_path)
    metadata = load_package(artifact.path).description.metadata
    assert json.loads(metadata["edgevit.preprocess"])["mean"] == [0.485, 0.456, 0.406]
    assert json.loads(metadata["edgevit.preprocess"])["in_package"] is False
    assert json.loads(metadata["edgevit.labels"]) == list(labels)
    assert json.loads(metadata["edgevit.tools"]) == artifact.versions
    assert metadata["edgevit.weights"] == "random (seed 0)"
    assert metadata["author"] == "a test"


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_image_input(tmp_path: Path, precision: Literal["fp16", "fp32"]) -> None:
    torch.manual_seed(0)
    source = takes_pixels(source_of(Hybrid(), X, preprocess=IMAGENET))
    program, artifact = lowered(source, tmp_path, precision, image_input=True)
    description = load_package(artifact.path).description
    picture = description.inputs[0]
    assert (picture.kind, picture.image.layout if picture.image else "") == ("image", "RGB")
    assert json.loads(description.metadata["edgevit.preprocess"])["in_package"] is True
    limit = 2e-6 if precision == "fp32" else 5e-3
    assert far(program, artifact.path, precision).rel_l2 < limit


def test_an_image_input_is_one_picture(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedOpError, match="one 1x3xHxW tensor"):
        lowered(source_of(nn.ReLU(), torch.randn(2, 3, 8, 8)), tmp_path, image_input=True)


def test_nothing_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "coremltools"):
        lowered(source_of(Hybrid(), X), tmp_path, "fp16")
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")
    assert not [record for record in caplog.records if record.name.startswith("coremltools")]


def test_unknown_operating_system(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="iOS71") as caught:
        lowered(source_of(nn.ReLU(), X), tmp_path, minimum_os="iOS71")
    assert "iOS17" in caught.value.hint
    with pytest.raises(TargetError, match="iOS14"):
        lowered(source_of(nn.ReLU(), X), tmp_path, minimum_os="iOS14")


def test_scale_and_offset_are_not_short_of_an_epsilon(tmp_path: Path) -> None:
    class Affine(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.rand(3, 1, 1))
            self.offset = nn.Parameter(torch.randn(3, 1, 1))
            self.norm = nn.BatchNorm2d(3)  # untouched: this one's epsilon is meant

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(self.norm(torch.sigmoid(x * self.scale + self.offset)))

    torch.manual_seed(0)
    program, artifact = lowered(source_of(Affine(), X), tmp_path)
    norms = [op for op in load_package(artifact.path).main.operations if op.kind == "batch_norm"]
    assert len(norms) == 2
    assert far(program, artifact.path, "fp32").rel_l2 < 2e-7
