"""Reading: what a good package says, and what each kind of damage is answered with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgevit.backends.coreml.check import interpret, load_package
from edgevit.backends.coreml.check.blob import WeightFile
from edgevit.backends.coreml.check.element import ELEMENTS
from edgevit.backends.coreml.check.messages import parse_model
from edgevit.errors import PackageError, UsageError
from tests.backends.coreml.check_packages import coremltools, run_module, save_module

coremltools()


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, 2, 1)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).relu().flatten(2).transpose(1, 2)
        return self.head(self.norm(x).mean(1)).softmax(-1)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    return save_module(tmp_path_factory.mktemp("net"), Net(), torch.rand(1, 3, 16, 16))


@pytest.fixture
def package(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "copy.mlpackage"))


def weights(package: Path) -> Path:
    return package / "Data/com.apple.CoreML/weights/weight.bin"


def program(package: Path) -> Path:
    return package / "Data/com.apple.CoreML/model.mlmodel"


def test_description(package: Path) -> None:
    loaded = load_package(package)
    (feature,) = loaded.description.inputs
    assert (feature.kind, feature.type.dtype, feature.type.shape) == (
        "array",
        "fp32",
        (1, 3, 16, 16),
    )
    assert (
        loaded.description.metadata["com.github.apple.coremltools.version"]
        == coremltools().__version__
    )
    assert loaded.main.opset == 7
    assert loaded.main.op_counts()["conv"] == 1
    assert "const" not in loaded.main.op_counts()


def test_image_classifier(tmp_path: Path) -> None:
    """Scale and bias are operations of the program; labels come from its `classify`."""
    ct = coremltools()
    torch.manual_seed(0)
    module, pixels = Net(), torch.randint(0, 256, (1, 3, 16, 16), dtype=torch.uint8)
    image = ct.ImageType(
        name="x",
        shape=(1, 3, 16, 16),
        scale=1 / 127.5,
        bias=[-1, -1, -1],
        color_layout=ct.colorlayout.BGR,
    )
    labels = ["ant", "bee", "cat", "dog", "elk"]
    config = ct.ClassifierConfig(labels)
    loaded = load_package(
        save_module(
            tmp_path, module, torch.rand(1, 3, 16, 16), inputs=[image], classifier_config=config
        )
    )
    (feature,) = loaded.description.inputs
    assert feature.image is not None
    assert (feature.image.layout, feature.image.width, feature.image.height) == ("BGR", 16, 16)
    assert loaded.description.class_labels == tuple(labels)
    run = interpret(loaded, {"x": pixels})
    with torch.no_grad():
        wanted = module.eval()(pixels / 127.5 - 1)
    torch.testing.assert_close(run.outputs[loaded.description.predicted_probabilities], wanted)
    assert run.labels == {loaded.description.predicted_label: labels[int(wanted.argmax())]}
    with pytest.raises(UsageError, match="values from"):
        interpret(loaded, {"x": pixels / 127.5 - 1})


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "not given"),
        ({"y": torch.zeros(1)}, "no input `y`"),
        ({"x": torch.zeros(1, 3, 8, 8)}, "wrong shape"),
    ],
)
def test_wrong_inputs(package: Path, inputs: dict[str, Tensor], message: str) -> None:
    loaded = load_package(package)
    given = {
        loaded.main.inputs[0].name if name == "x" else name: value for name, value in inputs.items()
    }
    with pytest.raises(UsageError, match=message):
        interpret(loaded, given)


def test_truncated_weights(package: Path) -> None:
    data = weights(package).read_bytes()
    weights(package).write_bytes(data[:-64])
    with pytest.raises(PackageError, match="truncated") as error:
        load_package(package)
    assert "weight.bin" in error.value.where
    assert "bytes" in error.value.why or "byte" in error.value.why
    assert "export it again" in error.value.hint


def test_flipped_sentinel(package: Path) -> None:
    data = bytearray(weights(package).read_bytes())
    data[64] ^= 0x10
    weights(package).write_bytes(data)
    with pytest.raises(PackageError, match="not at the offset that the program names") as error:
        load_package(package)
    assert "0xdeadbeef" in error.value.why


@pytest.mark.parametrize(
    ("at", "message"), [(64 + 4, "wrong type"), (64 + 8, "wrong size"), (4, "unknown version")]
)
def test_wrong_metadata(package: Path, at: int, message: str) -> None:
    data = bytearray(weights(package).read_bytes())
    data[at] ^= 0x07
    weights(package).write_bytes(data)
    with pytest.raises(PackageError, match=message):
        load_package(package)


@pytest.mark.parametrize("gone", [weights, program])
def test_missing_item(package: Path, gone: object) -> None:
    gone(package).unlink()  # type: ignore[operator]
    with pytest.raises(PackageError):
        load_package(package)


def test_missing_folder_of_the_manifest(package: Path) -> None:
    shutil.rmtree(weights(package).parent)
    with pytest.raises(PackageError, match="lacks an item") as error:
        load_package(package)
    assert error.value.where.endswith("weights")


@pytest.mark.parametrize("text", ["", "{}", '{"itemInfoEntries": {}, "rootModelIdentifier": "x"}'])
def test_bad_manifest(package: Path, text: str) -> None:
    (package / "Manifest.json").write_text(text)
    with pytest.raises(PackageError, match="manifest"):
        load_package(package)


def test_garbled_program(package: Path) -> None:
    program(package).write_bytes(program(package).read_bytes()[:-5])
    with pytest.raises(PackageError, match="cannot be read"):
        load_package(package)


def test_manifest_is_followed(package: Path) -> None:
    """The model is where the manifest says, not where converters usually put it."""
    manifest = json.loads((package / "Manifest.json").read_text())
    program(package).rename(program(package).with_name("other.mlmodel"))
    manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"] = (
        "com.apple.CoreML/other.mlmodel"
    )
    (package / "Manifest.json").write_text(json.dumps(manifest))
    assert load_package(package).main.op_counts()["conv"] == 1


def test_unknown_operations_are_listed(package: Path) -> None:
    model = parse_model(program(package))
    block = next(iter(model.mlProgram.functions["main"].block_specializations.values()))
    renamed = [op for op in block.operations if op.type in ("relu", "softmax")]
    for op in renamed:
        op.type = f"{op.type}_of_tomorrow"
    program(package).write_bytes(model.SerializeToString())
    loaded = load_package(package)
    run = interpret(loaded, {loaded.main.inputs[0].name: torch.rand(1, 3, 16, 16)})
    assert not run.complete
    assert run.outputs == {}
    assert [(u.op, u.output) for u in run.unchecked][:1] == [
        ("relu_of_tomorrow", renamed[0].outputs[0].name)
    ]
    assert "relu_of_tomorrow" in str(run.unchecked[0])


def test_shape_that_is_not_the_declared_one(package: Path) -> None:
    model = parse_model(program(package))
    block = next(iter(model.mlProgram.functions["main"].block_specializations.values()))
    conv = next(op for op in block.operations if op.type == "conv")
    conv.outputs[0].type.tensorType.dimensions[2].constant.size = 9
    program(package).write_bytes(model.SerializeToString())
    loaded = load_package(package)
    run = interpret(loaded, {loaded.main.inputs[0].name: torch.rand(1, 3, 16, 16)})
    assert run.unchecked[0].op == "conv"
    assert "declared" in run.unchecked[0].reason


def test_every_stored_type(tmp_path: Path) -> None:
    """Blobs written by coremltools' own writer, read by ours."""
    from coremltools.libmilstoragepython import _BlobStorageWriter

    rng, path = np.random.default_rng(0), str(tmp_path / "weight.bin")
    writer = _BlobStorageWriter(path)
    wanted: dict[str, tuple[int, np.ndarray]] = {}
    for name in ("UINT1", "UINT2", "UINT3", "UINT4", "UINT6", "UINT8", "UINT16", "UINT32"):
        bits = int(name.removeprefix("UINT"))
        data = rng.integers(0, 2**bits, 37).astype(f"uint{max(8, bits)}")
        wanted[name] = (getattr(writer, f"write_{name.lower()}_data")(data), data)
    for name in ("INT4", "INT8", "INT16", "INT32"):
        bits = int(name.removeprefix("INT"))
        data = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), 37).astype(f"int{max(8, bits)}")
        wanted[name] = (getattr(writer, f"write_{name.lower()}_data")(data), data)
    single = rng.standard_normal(37).astype(np.float32)
    wanted["FLOAT32"] = (writer.write_float_data(single), single)
    half = single.astype(np.float16)
    wanted["FLOAT16"] = (writer.write_fp16_data(half.view(np.uint16)), half)
    del writer
    file = WeightFile(tmp_path / "weight.bin")
    for name, (offset, data) in wanted.items():
        np.testing.assert_array_equal(
            file.read(offset, ELEMENTS[name], 37, name).numpy(), data, err_msg=name
        )


@pytest.mark.parametrize("target", ["iOS16", "iOS18"])
@pytest.mark.parametrize("scheme", ["linear", "palette", "sparse"])
def test_compressed_weights(tmp_path: Path, scheme: str, target: str) -> None:
    """Against the converter's own decompression."""
    import coremltools.optimize.coreml as cto
    from coremltools.models import MLModel

    torch.manual_seed(0)
    module, x = (
        nn.Sequential(nn.Conv2d(3, 64, 3), nn.Flatten(), nn.Linear(256, 40)),
        torch.randn(1, 3, 4, 4),
    )
    model = MLModel(str(save_module(tmp_path, module, x, target=target)), skip_model_load=True)
    block = target == "iOS18"
    small: Any  # coremltools' annotation also allows a bare program, which cannot be saved
    if scheme == "linear":
        options = {"dtype": "int4", "granularity": "per_block", "block_size": 32} if block else {}
        small = cto.linear_quantize_weights(
            model, cto.OptimizationConfig(cto.OpLinearQuantizerConfig(**options))
        )
    elif scheme == "palette":
        options = {"granularity": "per_grouped_channel", "group_size": 8} if block else {}
        palette = cto.OpPalettizerConfig(mode="uniform", nbits=4, **options)
        small = cto.palettize_weights(model, cto.OptimizationConfig(palette))
    else:
        pruner = cto.OpMagnitudePrunerConfig(target_sparsity=0.5, weight_threshold=10)
        small = cto.prune_weights(model, cto.OptimizationConfig(pruner))
    models: dict[str, Any] = {"small": small, "plain": cto.decompress_weights(small)}
    runs = []
    for name, saved in models.items():
        saved.save(str(tmp_path / f"{name}.mlpackage"))
        package = load_package(tmp_path / f"{name}.mlpackage")
        assert not any(kind.startswith("constexpr") for kind in package.main.op_counts())
        run = interpret(package, {package.main.inputs[0].name: x})
        assert run.complete
        runs.append(next(iter(run.outputs.values())))
    small_file, plain_file = (
        weights(tmp_path / f"{name}.mlpackage") for name in ("small", "plain")
    )
    assert small_file.stat().st_size < 0.7 * plain_file.stat().st_size
    torch.testing.assert_close(*runs, rtol=1e-5, atol=1e-6)


def test_module_against_torch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    _, run, wanted = run_module(tmp_path, Net(), torch.rand(1, 3, 16, 16))
    torch.testing.assert_close(next(iter(run.outputs.values())), wanted)
