"""The test bed is what it says: nets that have learnt, outliers that change nothing, pictures that a command reads."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from torch import nn

from edgevit.frontend.capture import capture
from edgevit.frontend.resolve import resolve
from edgevit.frontend.source import ModelSource, Preprocess
from edgevit.quantize.calibration import ImageInput
from edgevit.quantize.image_folder import from_folder
from tests import ROOT
from tests.quantize import bed
from tests.quantize.bed.defaults import in_own_process
from tests.quantize.bed.digits import SHA256
from tests.quantize.bed.models import TokenAttention
from tests.quantize.bed.photographs import lite0, photographs, write_photographs
from tests.quantize.bed.words import recogniser, texts, words

TOP1 = {"vit": 97.0, "hybrid": 99.0, "mvit": 98.5, "conv": 99.0, "registers": 97.0, "fine": 97.5}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def logits(module: nn.Module) -> torch.Tensor:
    return module(bed.pictures("test")[0])


def test_the_pictures_are_those_that_the_nets_were_scored_on() -> None:
    assert bed.sha256() == SHA256
    assert len(bed.pictures("train")[1]) == 1200
    assert len(bed.pictures("test")[1]) == 597


@pytest.mark.parametrize("name", bed.NETS)
def test_shipped_weights_have_learnt(name: str) -> None:
    assert bed.accuracy(logits(bed.net(name)), bed.pictures("test")[1]) >= TOP1[name]


@pytest.mark.parametrize("name", bed.NETS)
def test_injected_outliers_change_nothing(name: str) -> None:
    clean, injected = bed.net(name), bed.net(name, injected=True)
    assert any(
        (a != b).any()
        for a, b in zip(clean.parameters(), injected.parameters(), strict=True)
        if a.shape == b.shape
    )
    wanted, outputs = logits(clean), logits(injected)
    assert (wanted - outputs).norm() <= 1e-4 * wanted.norm()
    assert (wanted.argmax(1) == outputs.argmax(1)).all()


def test_register_tokens_are_outliers_that_attention_sinks_into() -> None:
    """As in CLIP and DINOv2: of a norm that others come nowhere near, and most of the attention."""
    module = bed.net("registers")
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def look(layer: TokenAttention, inputs: tuple[torch.Tensor, ...], _: object) -> None:
        q, k, _ = layer.heads_of(inputs[0])
        weights = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1)
        seen.append((inputs[0].norm(dim=-1).mean(0), weights[:, :, :-2, -2:].sum(-1).mean()))

    layers = [layer for layer in module.modules() if isinstance(layer, TokenAttention)]
    for layer in layers:
        layer.register_forward_hook(look)
    logits(module)
    assert len(seen) == len(layers)
    for norms, share in seen:
        assert norms[-2:].min() > 50 * norms[1:-2].mean()
        assert share > 0.5


def test_a_folder_of_pictures_is_what_the_nets_take(tmp_path: Path) -> None:
    folder = bed.write_folder(tmp_path, "train", 12)
    source = resolve(f"{ROOT}/tests/quantize/bed/nets.py:conv_injected")
    runs = from_folder(folder, capture(source), ImageInput(source.preprocess))
    rows = list(csv.DictReader((folder / "labels.csv").open()))
    images, labels = bed.pictures("train", 12)
    by_name = {Path(name): run[0] for name, run in zip(runs.names, runs.inputs, strict=True)}
    for row, image, label in zip(rows, images, labels.tolist(), strict=True):
        assert row["label"] == Path(row["file"]).parent.name == source.labels[label]
        assert (by_name[folder / row["file"]] == image).all()


def test_nets_are_models_of_the_command_line() -> None:
    for name in bed.NETS:
        source = resolve(f"{ROOT}/tests/quantize/bed/nets.py:{name}")
        assert source.inputs[0].shape == (1, 1, 16, 16)
        assert source.preprocess is not None and source.preprocess.mean == (0.5,)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("runtime", "nets"),
    [
        ("onnx", ["vit"]),
        pytest.param("tflite", ["conv"], marks=pytest.mark.long),
        *(
            pytest.param(runtime, ["vit", "hybrid", "conv"], marks=pytest.mark.long)
            for runtime in ("onnx", "tflite", "executorch")
        ),
    ],
)
def test_runtimes_own_recipes_lose_what_was_injected(runtime: str, nets: list[str]) -> None:
    """The clean nets survive them, so that it is the outliers that bite."""
    scores = in_own_process(
        runtime, [f"{name}{end}" for name in nets for end in ("", "_injected")], 150
    )
    for name in nets:
        assert scores[name] > 96, scores
        assert scores[name] - scores[f"{name}_injected"] >= 60, scores


@pytest.mark.slow
def test_lite0_knows_the_photographs(tmp_path: Path) -> None:
    net, (images, labels) = lite0(), photographs()
    ranked = net(images).argsort(1, descending=True)
    assert (ranked[:, 0] == labels).sum() >= 16
    assert (ranked[:, :5] == labels[:, None]).any(1).sum() == 20
    folder = write_photographs(tmp_path)
    source = ModelSource("lite0", "lite0", net, (images[:1],), ("x",), "test", "test")
    runs = from_folder(
        folder, capture(source), ImageInput(Preprocess((0.5,) * 3, (0.5,) * 3, (224, 224)))
    )
    by_name = dict(zip(map(Path, runs.names), runs.inputs, strict=True))
    rows = list(csv.DictReader((folder / "labels.csv").open()))
    for row, image, label in zip(rows, images, labels.tolist(), strict=True):
        assert int(row["label"]) == label
        assert (by_name[folder / row["file"]][0] == image).all()


@pytest.mark.slow
def test_the_recogniser_reads_words_and_is_captured() -> None:
    net, (images, said) = recogniser(), words(60)
    source = ModelSource("words", "words", net, (images[:1],), ("x",), "test", "test")
    program = capture(source)
    read = texts(torch.cat([net(image) for image in images.split(1)]))
    assert sum(a == b for a, b in zip(read, said, strict=True)) >= 52
    assert sum("conv2d" in str(node.target) for node in program.calls()) == 38
