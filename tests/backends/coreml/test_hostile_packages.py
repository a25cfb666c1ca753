"""Packages that somebody else wrote: every one is read within itself, or refused as a package."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from edgevit.backends.coreml.check import interpret, load_package
from edgevit.backends.coreml.check.messages import parse_model
from edgevit.errors import EdgevitError, PackageError
from tests.backends.coreml.check_packages import coremltools, save_module

coremltools()
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"
PROGRAM = "Data/com.apple.CoreML/model.mlmodel"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(128, 5))
    return save_module(tmp_path_factory.mktemp("net"), net, torch.rand(1, 3, 8, 8))


@pytest.fixture
def package(original: Path, tmp_path: Path) -> Path:
    secret = tmp_path / "secret.bin"
    secret.write_bytes((original / WEIGHTS).read_bytes())
    return Path(shutil.copytree(original, tmp_path / "copy.mlpackage"))


def refused(package: Path) -> PackageError:
    with pytest.raises(PackageError) as caught:
        load_package(package)
    error = caught.value
    assert error.where
    assert error.why
    assert error.hint
    return error


def block(model: Any) -> Any:
    (function,) = model.mlProgram.functions.values()
    return function.block_specializations[function.opset]


def rewrite(package: Path, change: Callable[[Any], None]) -> None:
    model = parse_model(package / PROGRAM)
    change(model)
    (package / PROGRAM).write_bytes(model.SerializeToString())


def blobs(model: Any) -> list[Any]:
    values = [op.attributes["val"] for op in block(model).operations if "val" in op.attributes]
    return [value for value in values if value.WhichOneof("value") == "blobFileValue"]


@pytest.mark.parametrize(
    "name",
    ["{}/secret.bin", "@model_path/{}/secret.bin", "@model_path/../../../secret.bin", "../../../secret.bin",
     "@model_path/weights/../../../../secret.bin", "@model_path/", "", "/dev/zero", "@model_path/a\0b", "@model_path/.."],
)  # fmt: skip
def test_weights_outside_the_package_are_not_read(package: Path, name: str) -> None:
    path = name.format(package.parent)
    rewrite(package, lambda model: [setattr(b.blobFileValue, "fileName", path) for b in blobs(model)])  # fmt: skip
    assert "weight" in refused(package).message


@pytest.mark.parametrize("target", ["secret.bin", "/dev/zero", "pipe", "/etc"])
def test_a_link_or_a_pipe_for_weights_is_not_read(package: Path, target: str) -> None:
    os.mkfifo(package.parent / "pipe")
    (package / WEIGHTS).unlink()
    (package / WEIGHTS).symlink_to(package.parent / target)
    assert "link that leads out" in refused(package).why
    (package / WEIGHTS).unlink()
    os.mkfifo(package / WEIGHTS)
    assert "a pipe" in refused(package).why


@pytest.mark.parametrize("offset", [1, 63, 64 << 20, 1 << 62, (1 << 64) - 64])
def test_offsets_beyond_the_file(package: Path, offset: int) -> None:
    rewrite(package, lambda model: setattr(blobs(model)[0].blobFileValue, "offset", offset))
    assert "truncated" in refused(package).message


@pytest.mark.parametrize("size", [0, 1 << 31, 1 << 62, (1 << 64) - 1])
def test_declared_shapes_are_held_against_the_blob(package: Path, size: int) -> None:
    def change(model: Any) -> None:
        for dimension in blobs(model)[0].type.tensorType.dimensions:
            dimension.constant.size = size

    rewrite(package, change)
    refused(package)


def no_block(model: Any) -> None:
    (function,) = model.mlProgram.functions.values()
    function.opset = "CoreML99"


def no_value(model: Any) -> None:
    op = next(op for op in block(model).operations if op.type == "const")
    del op.attributes["val"]


def a_reference_for_a_value(model: Any) -> None:
    op = next(op for op in block(model).operations if op.type == "const")
    del op.attributes["val"]
    op.inputs["val"].arguments.add().name = "x"


def lists_in_lists(model: Any) -> None:
    value = blobs(model)[0].immediateValue.list.values.add()
    for _ in range(40):
        value = value.immediateValue.list.values.add()


def no_function(model: Any) -> None:
    model.mlProgram.functions.clear()


def another_kind(model: Any) -> None:
    model.neuralNetwork.SetInParent()


@pytest.mark.parametrize(
    "change", [no_block, no_value, a_reference_for_a_value, lists_in_lists, no_function, another_kind]
)  # fmt: skip
def test_programs_that_are_none(package: Path, change: Callable[[Any], None]) -> None:
    rewrite(package, change)
    refused(package)


MANIFEST = {"fileFormatVersion": "1.0.0", "rootModelIdentifier": "a", "itemInfoEntries": {"a": {"path": "com.apple.CoreML/model.mlmodel"}}}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [{"rootModelIdentifier": ["a"]}, {"rootModelIdentifier": 3}, {"rootModelIdentifier": "b"}, {"itemInfoEntries": []},
     {"itemInfoEntries": {"a": "x"}}, {"itemInfoEntries": {"a": {"path": 7}}}, {"itemInfoEntries": {"a": {}}},
     {"itemInfoEntries": {"a": {"path": "/etc/passwd"}}}, {"itemInfoEntries": {"a": {"path": "../../secret.bin"}}},
     {"itemInfoEntries": {"a": {"path": "com.apple.CoreML/../../Manifest.json"}}}, {"itemInfoEntries": {"a": {"path": ""}}},
     {"itemInfoEntries": {"a": {"path": "com.apple.CoreML"}}}],
)  # fmt: skip
def test_manifests(package: Path, change: dict[str, Any]) -> None:
    (package / "Manifest.json").write_text(json.dumps(MANIFEST))
    load_package(package)
    (package / "Manifest.json").write_text(json.dumps(MANIFEST | change))
    refused(package)


def test_a_damaged_program_is_refused_or_read_and_nothing_else(package: Path) -> None:
    whole, chance = (package / PROGRAM).read_bytes(), random.Random(0)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 2, 8])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        (package / PROGRAM).write_bytes(data)
        try:
            loaded = load_package(package)
            interpret(
                loaded, {feature.name: torch.zeros(1, 3, 8, 8) for feature in loaded.main.inputs}
            )
        except EdgevitError:
            continue
