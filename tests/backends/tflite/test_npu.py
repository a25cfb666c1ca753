"""LiteRT's compiler for the Snapdragon NPU: with a stand-in of Qualcomm's SDK, made of the libraries of another package."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from edgevit.backends.tflite.npu import compile_for_npu, require_npu_compiler
from edgevit.cli.main import main
from edgevit.errors import BackendRuntimeError, EdgevitError, MissingToolError, TargetError
from edgevit.support.doctor import examine, table
from edgevit.targets import load_target

NET = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 5), nn.Softmax(-1))
    return net.eval(), (torch.rand(1, 3, 8, 8),)
"""


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder laid out as Qualcomm's SDK; one library in it is empty."""
    library = pytest.importorskip("onnxruntime_qnn", reason="pip install 'edgevit[qnn]'")
    if shutil.which("cc") is None:
        pytest.skip("apt-get install gcc")
    root = tmp_path_factory.mktemp("sdk")
    place = root / "lib" / "x86_64-linux-clang"
    place.mkdir(parents=True)
    home = Path(library.__file__).parent
    for path in [*home.glob("*.so"), *home.with_name(f"{home.name}.libs").glob("*.so*")]:
        (place / path.name).symlink_to(path)
    (place / "empty.c").write_text("int nothing;\n")
    words = ["cc", "-shared", "-Wl,-soname,libQnnLpai.so", "-o", "libQnnLpai.so", "empty.c"]
    subprocess.run(words, cwd=place, check=True)
    return root


@pytest.fixture(scope="module")
def folder(sdk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("net")
    (root / "net.py").write_text(NET)
    words = ["export", f"{root}/net.py:build", "--target", "galaxy-s25", "--format", "tflite"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QNN_SDK_ROOT", str(sdk))
        assert main([*words, "--litert-npu", "-o", str(root / "out"), "--quiet"]) == 0
    return root / "out"


@pytest.mark.long
def test_the_npu_takes_every_op(folder: Path) -> None:
    manifest = json.loads((folder / "edgevit.json").read_text())
    npu = manifest["npu"]
    assert (npu["soc"], npu["delegates"], npu["checked"]) == ("SM8750", 1, False)
    assert npu["ops"] == npu["ops_inside"] > 0
    assert (folder / npu["file"]).stat().st_size > 1000
    assert any("run nowhere here" in note for note in manifest["notes"])
    assert manifest["artifact"] != npu["file"]  # what was compared is the plain file


def test_another_chip_and_a_missing_sdk_are_refused(
    sdk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(kind: type[EdgevitError], target: str) -> EdgevitError:
        with pytest.raises(kind) as caught:
            require_npu_compiler(load_target(target))
        assert all((caught.value.where, caught.value.why, caught.value.hint))
        return caught.value

    monkeypatch.delenv("QNN_SDK_ROOT", raising=False)
    assert "QNN_SDK_ROOT" in refused(MissingToolError, "galaxy-s25").why
    assert "QNN_SDK_ROOT is not set" in table(examine())
    monkeypatch.setenv("QNN_SDK_ROOT", str(tmp_path))
    assert "libQnnHtp.so" in refused(MissingToolError, "galaxy-s25").why
    assert "Tensor" in refused(TargetError, "pixel-8").why
    monkeypatch.setenv("QNN_SDK_ROOT", str(sdk))
    assert require_npu_compiler(load_target("galaxy-s24"))[0] == "SM8650"
    assert str(sdk) in table(examine())


def test_a_compiler_that_fails_is_told(sdk: Path, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(b"x" * 200)
    with pytest.raises(BackendRuntimeError) as caught:
        compile_for_npu(path, "SM8750", sdk / "lib" / "x86_64-linux-clang")
    assert all((caught.value.where, caught.value.why, caught.value.hint))
    assert list(tmp_path.iterdir()) == [path]
