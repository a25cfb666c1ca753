"""`edgevit evaluate`: accuracy of the artifact on disk, on labelled data of every form."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import edgevit
from edgevit.cli.main import main
from edgevit.errors import EdgevitError

COLOURS = {"blue": 2, "green": 1, "red": 0}  # sorted order is not the outputs' order


class Brightest(nn.Module):
    """Tell which channel is the brightest: each class by one colour."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    result = edgevit.export(
        Brightest(),
        torch.rand(1, 3, 8, 8),
        target="linux-x86",
        format="onnx",
        output=tmp_path_factory.mktemp("net") / "out",
        mean=[0.5] * 3,
        std=[0.5] * 3,
    )
    return result.directory


def picture(path: Path, channel: int, level: int = 200) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((8, 8, 3), 50, np.uint8)
    pixels[..., channel] = level
    Image.fromarray(pixels).save(path)


def class_folders(root: Path, each: int = 3) -> Path:
    for colour, channel in COLOURS.items():
        for number in range(each):
            picture(root / colour / f"{number}.png", channel)
    return root


NAMES = ["red", "green", "blue, azure"]


def test_class_folders_by_name(exported: Path, tmp_path: Path) -> None:
    data = class_folders(tmp_path)
    assert edgevit.evaluate(exported, data, labels=NAMES).accuracy.top1 == 100
    in_order = edgevit.evaluate(exported, data)  # blue is taken for output 0, red for 2
    assert in_order.accuracy.top1 == pytest.approx(100 / 3)
    assert in_order.rule == "labels in sorted order"


def test_a_table_of_numbers(exported: Path, tmp_path: Path) -> None:
    class_folders(tmp_path)
    rows = [f"{colour}/0.png,{channel}" for colour, channel in COLOURS.items()]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *rows]))
    result = edgevit.evaluate(exported, tmp_path)
    assert (result.count, result.accuracy.top1, result.accuracy.top5) == (3, 100, None)


def test_arrays_and_a_metric_of_the_users(exported: Path, tmp_path: Path) -> None:
    images = np.random.default_rng(0).normal(size=(7, 3, 8, 8)).astype(np.float32)
    right = images.mean((2, 3)).argmax(1)
    right[0] = (right[0] + 1) % 3
    np.savez(tmp_path / "data.npz", x=images, y=right)
    data = tmp_path / "data.npz"
    assert edgevit.evaluate(exported, data).accuracy.top1 == pytest.approx(600 / 7)
    wrong = edgevit.evaluate(
        exported, data, metric=lambda outputs, labels: (outputs[0].argmax(1) != labels).sum()
    )
    assert wrong.metric == 1
    assert edgevit.evaluate(exported, data, count=3).count == 3


def test_the_command_prints_one_object(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("\n".join(NAMES))
    data = class_folders(tmp_path / "data")
    words = ["evaluate", str(exported), "--data", str(data), "--labels", str(names), "--json"]
    assert main(words) == 0
    out = capsys.readouterr()
    (entry,) = json.loads(out.out)["evaluations"]
    assert entry["accuracy"] == {"top1": 100.0, "top5": None}
    assert "evaluate" in out.err


def test_a_count_is_drawn_evenly(exported: Path, tmp_path: Path) -> None:
    data = class_folders(tmp_path, each=5)
    for number in range(40):  # one class more often than the others
        picture(data / "red" / f"more{number}.png", 0)
    result = edgevit.evaluate(
        exported, data, count=9, metric=lambda _, labels: len(set(labels[:9]))
    )
    assert (result.count, result.metric) == (9, 3)


def unknown_class(data: Path) -> None:
    (data / "red").rename(data / "rad")


def too_many(data: Path) -> None:
    picture(data / "white" / "0.png", 0)


def numbers_beyond(data: Path) -> None:
    for place, colour in enumerate(COLOURS):
        (data / colour).rename(data / str(place + 1))


def beside(data: Path) -> None:
    picture(data / "0.png", 0)


def empty(data: Path) -> None:
    shutil.rmtree(data)
    data.mkdir()


def damaged(data: Path) -> None:
    (data / "red" / "0.png").write_bytes(b"no picture")


def no_header(data: Path) -> None:
    (data / "labels.csv").write_text("red/0.png,0\n")


def missing_file(data: Path) -> None:
    (data / "labels.csv").write_text("file,label\nred/0.png,0\nred/none.png,0\n")


def leads_out(data: Path) -> None:
    (data / "labels.csv").write_text("file,label\n../red/0.png,0\n")


@pytest.mark.parametrize(
    ("change", "names", "message"),
    [
        (unknown_class, NAMES, "no class `rad`"),
        (too_many, None, "4 labels for 3 outputs"),
        (numbers_beyond, None, "no output 3"),
        (beside, None, "without a label"),
        (empty, None, "no pictures"),
        (damaged, None, "0.png cannot be read"),
        (no_header, None, "labels.csv cannot be read"),
        (missing_file, None, "labels.csv cannot be read"),
        (leads_out, None, "labels.csv cannot be read"),
    ],
)
def test_what_does_not_fit_is_refused(exported, tmp_path, change, names, message) -> None:
    data = class_folders(tmp_path / "data")
    change(data)
    with pytest.raises(EdgevitError, match=message) as raised:
        edgevit.evaluate(exported, data, labels=names)
    error = raised.value
    assert error.exit_code == 16
    assert all((error.where, error.why, error.hint))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((2, 3, 8, 8), np.uint8), "y": [0, 1]}, "are bytes"),
        ({"x": np.zeros((2, 3, 8, 8), np.float32), "y": [0]}, "not of one length"),
        ({"x": np.zeros((2, 3, 9, 8), np.float32), "y": [0, 1]}, "of shape 3x9x8"),
        ({"x": np.zeros((2, 3, 8, 8), np.float32)}, "no array `labels`"),
        ({"x": np.full((2, 3, 8, 8), np.nan, np.float32), "y": [0, 1]}, "has NaN"),
        ({"x": np.zeros((2, 3, 8, 8), np.float32), "y": [0.5, 1]}, "one whole number"),
        ({"x": np.zeros((2, 3, 8, 8), np.float32), "y": [0, 3]}, "no output 3"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(exported, tmp_path, arrays, message) -> None:
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(EdgevitError, match=message) as raised:
        edgevit.evaluate(exported, tmp_path / "data.npz")
    assert all((raised.value.where, raised.value.why, raised.value.hint))


def test_unknown_preprocessing_and_other_models_are_refused(tmp_path: Path) -> None:
    net = nn.Conv2d(3, 4, 1).eval()
    result = edgevit.export(
        net, torch.rand(1, 3, 8, 8), target="linux-x86", format="onnx", output=tmp_path / "out"
    )
    data = class_folders(tmp_path / "data")
    with pytest.raises(EdgevitError, match="how pictures become"):
        edgevit.evaluate(result, data)
    np.savez(tmp_path / "d.npz", images=np.zeros((2, 3, 8, 8), np.float32), labels=[0, 1])
    with pytest.raises(EdgevitError, match="no classifier"):
        edgevit.evaluate(result, tmp_path / "d.npz")
