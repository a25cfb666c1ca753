"""LiteRT's GPU delegate: what its log says, and a real run where a Vulkan driver is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgevit.backends.tflite import gpu
from edgevit.cli.main import main
from edgevit.errors import EdgevitError
from edgevit.export.api import export

LOG = """I0000 environment.cc:532] Selected adapter: SwiftShader Device (Subzero), arch=swiftshader, vendor=google, backend=Vulkan, adapterType=CPU / Software
ERROR: Following operations are not supported by GPU delegate:
RESHAPE: Tensor dimensions must be less than 5. permute_default_3;
RESHAPE: Tensor dimensions must be less than 5. reshape_default_5;;linear_default;2
TRANSPOSE: Permutation for transpose is invalid.
30 operations will run on the GPU, and the remaining 23 operations will run on the CPU.
"""


def stands_in(log: str, code: int = 0) -> str:
    """Return a program that stands in for the delegate's process: writes its files, says its log."""
    return (
        "import sys, pathlib, numpy\n"
        "folder = pathlib.Path(sys.argv[2])\n"
        "numpy.savez(folder / 'outputs.npz', numpy.load(folder / 'inputs.npz')['arr_0'] * 2)\n"
        "(folder / 'seconds.json').write_text('[0.5, 0.25]')\n"
        f"sys.stderr.write({log!r})\nsys.exit({code})\n"
    )


def ran(monkeypatch: pytest.MonkeyPatch, log: str, code: int = 0) -> gpu.GpuRun:
    import sys

    words = [sys.executable, "-c", stands_in(log, code)]
    monkeypatch.setattr(gpu, "module_command", lambda _, *more: [*words, *more])
    return gpu.run_on_gpu(Path("net.tflite"), [np.ones(2, np.float32)], 2, 60)


def test_the_log_tells_what_stays_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    run = ran(monkeypatch, LOG)
    assert (run.adapter, run.software, run.on_cpu) == ("SwiftShader Device (Subzero)", True, 23)
    assert run.refused == {
        "RESHAPE: Tensor dimensions must be less than 5": 2,
        "TRANSPOSE: Permutation for transpose is invalid": 1,
    }
    assert run.seconds == (0.5, 0.25)
    assert run.outputs[0].tolist() == [2, 2]


@pytest.mark.parametrize(
    ("log", "code", "words"),
    [
        ("ERROR: INTERNAL: No adapters found\n", 1, "finds no GPU here"),
        ("RuntimeError: ERROR: [compiled_model.cc]\n", 1, "does not run on the GPU"),
    ],
)
def test_no_gpu_is_our_error(
    monkeypatch: pytest.MonkeyPatch, log: str, code: int, words: str
) -> None:
    with pytest.raises(EdgevitError, match=words) as caught:
        ran(monkeypatch, log, code)
    assert all((caught.value.where, caught.value.why, caught.value.hint))


@pytest.mark.long
@pytest.mark.parametrize("net", ["zoo:hybrid-i64-d32", "zoo:vit-i32-p8-d32-h2-l1"])
def test_a_net_runs_on_the_gpu_and_computes_the_same(net: str, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    export(net, target="linux-x86", format="tflite", output=out)
    words = ["profile", str(out), "--on", "litert-gpu", "--rounds", "2", "--no-store", "--quiet"]
    assert main([*words, "--json"]) == 0
    notes = json.loads(capsys.readouterr().out)["results"][0]["notes"]
    assert notes[0].startswith("computes the same on the GPU")
    assert notes[-1] == "the GPU takes every op"
