"""`ultralytics:NAME|FILE.yaml|FILE.pt`, by a package of the same shape; the real one is a long test."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from edgevit.errors import EdgevitError, MissingToolError, ModelError, WeightsError
from edgevit.export import export
from edgevit.frontend.capture import capture
from edgevit.frontend.resolve import resolve
from edgevit.graph.parity import RUNTIME

PACKAGE = {
    "__init__.py": "import os\nimport torch\n__version__ = '8'\nASKED = os.environ.get('YOLO_OFFLINE')\ntorch.save = None\n",
    "nn/__init__.py": "",
    "nn/modules/__init__.py": "",
    "nn/modules/layers.py": """
import torch

class Conv(torch.nn.Conv2d):
    pass

class TorchVision(torch.nn.Identity):
    pass

class Detect(torch.nn.Module):
    export = False

    def __init__(self, width):
        super().__init__()
        self.cv2, self.one2one_cv2 = torch.nn.Conv2d(width, 6, 1), torch.nn.Conv2d(width, 6, 1)
        self.end2end = False

    def forward(self, x):
        y = self.one2one_cv2(x) if self.end2end else self.cv2(x).sigmoid()
        return y if self.export else (y, [x])
""",
    "nn/tasks.py": """
import torch
from ultralytics.nn.modules.layers import Conv, Detect, TorchVision

def load_anything(*paths):
    raise SystemExit("executed")

class DetectionModel(torch.nn.Module):
    def __init__(self, cfg, verbose):
        super().__init__()
        self.yaml = cfg
        self.names = {i: str(i) for i in range(cfg["nc"])}
        width = {"": 4, "n": 8}[cfg["scale"]]
        self.model = torch.nn.Sequential(Conv(3, width, 3), torch.nn.SiLU(), Detect(width))

    @property
    def end2end(self):
        return self.model[-1].end2end

    @end2end.setter
    def end2end(self, value):
        self.model[-1].end2end = value

    def forward(self, x):
        return self.model(x)
""",
    "cfg/models/11/yolo11.yaml": "nc: 80\nbackbone: [[-1, 1, Conv, [8, 3]]]\nhead: [[-1, 1, Detect, [nc]]]\n",
    "cfg/datasets/coco.yaml": "names: {" + ", ".join(f"{n}: thing {n}" for n in range(80)) + "}\n",
}
REAL = pytest.mark.skipif(
    find_spec("ultralytics") is None, reason="pip install 'edgevit[ultralytics]'"
)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Put the stand-in where the package would be."""
    for name, text in PACKAGE.items():
        path = tmp_path / "site" / "ultralytics" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    others = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_of_it(name)}
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.chdir(tmp_path)
    yield lambda: import_module("ultralytics")
    for name in [name for name in sys.modules if _is_of_it(name)]:
        del sys.modules[name]
    sys.modules.update(others)


def _is_of_it(name: str) -> bool:
    return name.partition(".")[0] == "ultralytics"


def refused(spec: str, **options: Any) -> EdgevitError:
    with pytest.raises(EdgevitError) as caught:
        resolve(spec, **options)
    assert caught.value.where and caught.value.why and caught.value.hint
    return caught.value


def test_a_name_has_its_size_labels_and_preprocessing(package: Any) -> None:
    environment, save = dict(os.environ), torch.save
    source = resolve("ultralytics:yolo11n", input_size=16)
    assert package().ASKED == "true"  # while it is imported, and no longer
    assert dict(os.environ) == environment and torch.save is save
    assert source.weights == "random (seed 0)" and "--trust" in source.notes[0]
    assert source.labels[:2] == ("thing 0", "thing 1") and source.native_size == (640, 640)
    how = source.preprocess
    assert how is not None and how.as_dict()["border"] == 114
    assert (how.mean, how.std, how.channel_order) == ((0.0,) * 3, (1.0,) * 3, "rgb")
    assert source.module.model[0].out_channels == 8
    assert len(capture(source).outputs()) == 1


def test_the_second_head_is_chosen_by_name(package: Any) -> None:
    assert resolve("ultralytics:yolo11n?end2end", input_size=16).module.end2end
    assert not resolve("ultralytics:yolo11n.yaml", input_size=16).module.end2end
    assert "?end2end" in refused("ultralytics:yolo11n?fast").hint


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("activation: \"__import__('os').mkdir('executed')\"", "activation"),
        ("activation: \"nn.SiLU(__import__('os').mkdir('executed'))\"", "activation"),
        ("backbone: [[-1, 1, load_anything, [w.pt]]]", "load_anything"),
        ("backbone: [[-1, 1, DetectionModel, [other.yaml]]]", "DetectionModel"),
        ("backbone: [[-1, 1, nn.functional, []]]", "nn.functional"),
        ("backbone: [[-1, 1, Conv]]", "backbone[0]"),
        ("backbone: !!python/object/apply:os.mkdir [executed]", "could not determine"),
    ],
)
def test_a_description_is_data(package: Any, tmp_path: Path, text: str, why: str) -> None:
    del package
    rows = PACKAGE["cfg/models/11/yolo11.yaml"]
    (tmp_path / "net.yaml").write_text(f"{rows}{text}\n")
    error = refused("ultralytics:net.yaml")
    assert isinstance(error, ModelError) and why in error.why
    assert not (tmp_path / "executed").exists()


def test_a_layer_fetches_no_weights(package: Any, tmp_path: Path) -> None:
    del package
    layer = "[[-1, 1, TorchVision, [resnet18, DEFAULT]]]"
    (tmp_path / "net.yaml").write_text(
        f"nc: 2\nbackbone: {layer}\nhead: [[-1, 1, Detect, [nc]]]\nactivation: nn.SiLU()\n"
    )
    source = resolve("ultralytics:net.yaml", input_size=16, weights="random")
    assert source.module.yaml["backbone"][0][3] == ["resnet18", None]
    assert source.labels == ()


def test_a_checkpoint_is_run_with_trust_alone(package: Any, tmp_path: Path) -> None:
    module = resolve("ultralytics:yolo11n", input_size=16).module
    module.names = {0: "cat", 1: "dog"}
    torch.save({"model": module.half(), "ema": None}, tmp_path / "best.pt")
    assert isinstance(refused("ultralytics:best.pt"), WeightsError)
    source = resolve("ultralytics:best.pt", input_size=16, trust=True)
    assert source.weights == "best.pt" and source.labels == ("cat", "dog")
    weight = source.module.model[0].weight
    assert torch.equal(weight, module.model[0].weight.float())
    assert "pickle" in refused("ultralytics:yolo11n", weights="pretrained").message


def test_what_is_not_there_is_said(package: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    del package
    assert "yolo11" in refused("ultralytics:yolo12n").hint
    refused("ultralytics:none.yaml")
    for name in [name for name in sys.modules if _is_of_it(name)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ultralytics", None)
    with pytest.raises(MissingToolError, match="not installed") as caught:
        resolve("ultralytics:yolo11n")
    assert "AGPL" in caught.value.hint


@REAL
@pytest.mark.long
@pytest.mark.parametrize("spec", ["yolo11n", "yolo26n", "yolo26n?end2end"])
@pytest.mark.parametrize(
    "place", ["iphone:coreml", "android:tflite", "android:executorch", "android:onnx"]
)
def test_the_real_ones(tmp_path: Path, spec: str, place: str) -> None:
    target, format = place.split(":")
    result = export(
        f"ultralytics:{spec}",
        target=target,
        format=format,
        weights="random",
        input_size=96,
        output=tmp_path / "out",
    )
    assert result.passed
    assert any(RUNTIME in parity.stage or "package" in parity.stage for parity in result.parity)
