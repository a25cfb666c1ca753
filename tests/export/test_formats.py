"""Several formats in one call, options of the runtimes, and what a report says of delegation."""

from __future__ import annotations

import contextlib
import io
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

import edgevit
from edgevit.backends.coreml.backend import open_function
from edgevit.backends.delegation import Delegation, Outside, grouped, require_all_inside
from edgevit.cli.main import main
from edgevit.errors import DelegationError
from edgevit.export import join_sizes
from edgevit.exported import load_golden, read_manifest, require_untouched
from edgevit.targets import load_target
from tests import ROOT

ARGUMENTS = import_module("edgevit.frontend.arguments")

MODEL = f"{ROOT / 'examples' / 'tiny_hybrid.py'}:build"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Manifests of one call for two formats, after the number of models that it built."""
    folder, built = tmp_path_factory.mktemp("formats") / "o", []
    build = ARGUMENTS.build_source
    words = ["export", MODEL, "--target", "linux-x86", "--format", "onnx,executorch"]
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setattr(ARGUMENTS, "build_source", lambda *a, **k: built.append(a) or build(*a, **k))
        assert main([*words, "-o", str(folder), "--json", "--quiet"]) == 0
    exports = json.loads(printed.getvalue())["exports"]
    return {"built": len(built), "folder": folder, "exports": exports}


def test_several_formats_share_the_front_half(two: dict[str, Any]) -> None:
    assert two["built"] == 1
    assert sorted(p.name for p in two["folder"].iterdir()) == ["executorch", "onnx"]
    for format, manifest in two["exports"].items():
        assert manifest["format"] == format
        assert manifest["passed"]
        assert Path(manifest["directory"]) == two["folder"] / format
        assert set(manifest["stages"]) == {"resolve", "capture", "rewrite", "lower", "verify"}


def test_one_format_that_fails_does_not_stop_the_others(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise edgevit.EdgevitError("no such thing")

    monkeypatch.setattr("edgevit.backends.executorch.backend.lower", refuse)
    words = ["export", MODEL, "--target", "linux-x86", "--format", "executorch,onnx"]
    assert main([*words, "-o", str(tmp_path / "o"), "--quiet"]) == 1
    said = capsys.readouterr()
    assert "executorch: error[E0001]: no such thing" in said.err
    assert "TinyHybrid.onnx" in said.out
    assert [p.name for p in (tmp_path / "o").iterdir()] == ["onnx"]


POOLED = """
import torch
from torch import nn

def build():
    class Net(nn.Conv2d):
        def forward(self, image):
            return super().forward(image).mean((2, 3))

    return Net(3, 4, 3, 2).eval(), (torch.zeros(1, 3, 8, 8),)
"""


def test_several_sizes_are_a_folder_each(tmp_path: Path, capsys) -> None:
    (tmp_path / "net.py").write_text(POOLED)
    words = ["export", f"{tmp_path}/net.py:build", "--target", "linux-x86", "--format", "onnx"]
    words += ["-o", str(tmp_path / "o"), "--json", "--quiet"]
    assert main([*words, "--input-size", "16,12x20,2"]) == 3  # a window of 3 sees nothing of 2
    told = json.loads(capsys.readouterr().out)
    assert told["sizes"] == {"file": None, "why": "not every size passed"}
    exports = told["exports"]
    for name, shape in {"16": [1, 3, 16, 16], "12x20": [1, 3, 12, 20]}.items():
        assert exports[name]["passed"] and exports[name]["directory"] == str(tmp_path / "o" / name)
        assert exports[name]["ports"]["inputs"][0]["shape"] == shape
    assert exports["2"]["code"] == "E0003"
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["12x20", "16"]


@pytest.mark.long
def test_sizes_are_functions_of_one_package(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(POOLED)
    target, root, net = load_target("iphone-17"), tmp_path / "o", f"{tmp_path}/net.py:build"
    results = {
        name: edgevit.export(net, target="iphone-17", input_size=size, output=root / name)
        for name, size in {"16": 16, "12x20": (12, 20)}.items()
    }
    sizes = join_sizes(results, target, root)
    assert sizes.path is not None
    assert [one["function"] for one in sizes.plan["functions"]] == ["size_16", "size_12x20"]
    for one in sizes.plan["functions"]:
        (x,), (expected,) = load_golden(root / one["folder"])
        assert list(x.shape) == one["inputs"][0]["shape"]
        joined = read_manifest(root / one["folder"])["joined"]
        assert joined == {"file": f"../{sizes.path.name}", "function": one["function"]}
        (output,) = open_function(sizes.path, one["function"], "fp16")((x,))
        torch.testing.assert_close(output, expected, rtol=1e-2, atol=1e-2)
        folder = root / one["folder"]
        require_untouched(folder, read_manifest(folder))
    assert "case size_16, size_12x20" in (root / sizes.plan["call"]).read_text()
    older = join_sizes(results, load_target("iphone"), root)
    assert older.path is None and "iOS 18" in older.why
    assert sorted(p.name for p in root.iterdir()) == ["12x20", "16"]


def test_channels_last(tmp_path: Path) -> None:
    result = edgevit.export(
        MODEL, target="linux-x86", format="onnx", output=tmp_path / "o", channels_last=True
    )
    assert result.passed
    (declared,) = result.manifest["model"]["inputs"]
    assert declared["shape"] == [1, 64, 64, 3]


def test_the_manifest_tells_what_was_delegated(two: dict[str, Any]) -> None:
    delegation = two["exports"]["onnx"]["delegation"]
    assert delegation["to"] == "CPUExecutionProvider"
    assert (delegation["delegates"], delegation["ops_outside"]) == (1, 0)
    assert delegation["outside"] == []
    assert delegation["ops_inside"] > 10


def test_leftovers_are_an_error_when_asked(two: dict[str, Any], tmp_path: Path, capsys) -> None:
    words = ["export", MODEL, "--target", "linux-x86", "--format", "executorch", "--quiet"]
    code = main([*words, "--require-delegated", "-o", str(tmp_path / "o")])
    said = capsys.readouterr()
    left = two["exports"]["executorch"]["delegation"]["ops_outside"]
    assert code == (13 if left else 0)
    if left:
        assert f"{left} ops stay outside XNNPACK" in said.err
        assert "tiny_hybrid.py:" in said.err
        assert not (tmp_path / "o").exists()


def test_leftovers_are_listed_with_their_lines() -> None:
    outside = [Outside("layer_norm", "a.py:3", 1, 100), Outside("layer_norm", "a.py:3", 1, 50)]
    delegation = Delegation("XNNPACK", 2, 7, grouped([*outside, Outside("expand", "b.py:9", 1, 8)]))
    assert delegation.ops_outside == 3
    assert delegation.as_dict()["outside"] == [
        {"op": "layer_norm", "where": "a.py:3", "count": 2, "bytes": 150},
        {"op": "expand", "where": "b.py:9", "count": 1, "bytes": 8},
    ]
    with pytest.raises(DelegationError) as caught:
        require_all_inside(delegation)
    assert "layer_norm x2   a.py:3" in caught.value.where
    require_all_inside(Delegation("XNNPACK", 1, 7, ()))


def test_core_ml_has_no_say_in_delegation(tmp_path: Path, capsys) -> None:
    words = ["export", MODEL, "--target", "iphone", "--require-delegated", "--quiet"]
    assert main([*words, "-o", str(tmp_path / "o")]) == 2
    assert "decided on the device" in capsys.readouterr().err
