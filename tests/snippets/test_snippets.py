"""The code in `call/`: run for real where the runtime is here, compiled against the real headers where they are here, and
for the others made of the artifact's own names, shapes and types."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgevit.backends.mcu.bundle import read_bundle
from edgevit.backends.mcu.codegen.firmware import link_firmware
from edgevit.backends.mcu.emulator import emulator, emulators_of
from edgevit.backends.mcu.options import FirmwareOptions
from edgevit.backends.mcu.toolchain import toolchain
from edgevit.export.api import export
from edgevit.exported.golden import load_golden
from edgevit.integer.simulate import outputs_of
from edgevit.snippets.write import write_calls
from tests.snippets.grammar import grammars_are_here, syntax_errors

NET = """
import torch
class Net(torch.nn.Sequential):
    def forward(self, image):
        return super().forward(image)
def build():
    torch.manual_seed(0)
    layers = torch.nn.Conv2d(3, 8, 3, stride=4), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(2048, 10)
    return Net(*layers).eval(), (torch.rand(1, 3, 64, 64),)
"""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FORMATS = ("onnx", "tflite", "executorch", "tvm")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("net") / "net.py"
    path.write_text(NET)
    return f"{path}:build"


@pytest.fixture(scope="module")
def folders(model: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("calls")
    found = export(model, target="linux-x86", formats=FORMATS, output=root, mean=MEAN, std=STD)
    assert found.passed
    return {format: root / format for format in FORMATS}


@pytest.mark.parametrize("format", FORMATS)
def test_python_computes_what_the_model_computed(
    format: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    inputs, outputs = load_golden(folders[format])
    np.save(tmp_path / "image.npy", inputs[0].numpy())
    command = [sys.executable, str(folders[format] / "call" / "call.py"), "image.npy"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    found = np.load(tmp_path / "output_0.npy")
    assert np.abs(found - outputs[0].numpy()).max() < 1e-5
    np.save(tmp_path / "wrong.npy", inputs[0].numpy()[:, :, :-1])
    if format == "onnx":
        wrong = subprocess.run([*command[:-1], "wrong.npy"], cwd=tmp_path, capture_output=True)
        assert wrong.returncode == 1 and b"must be (1, 3, 64, 64) float32" in wrong.stderr


def test_python_prepares_a_picture(folders: dict[str, Path]) -> None:
    spec = importlib.util.spec_from_file_location("call", folders["onnx"] / "call" / "call.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    expected = ((pixels / 255 - MEAN) / STD).transpose(2, 0, 1)[None]
    assert np.abs(module.prepare(pixels) - expected).max() < 1e-5
    assert module.prepare(pixels).dtype == np.float32


def compiled(folder: Path, words: list[str], libraries: list[Path], work: Path) -> str:
    """What the C++ of a folder says, of an input of ones."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        if os.environ.get("EDGEVIT_CI"):
            raise AssertionError("no C++ compiler")
        pytest.skip("a C++ compiler is missing: apt-get install g++")
    program = work / "call"
    source = folder / "call" / "call.cpp"
    subprocess.run([compiler, "-std=c++17", "-w", str(source), *words, "-o", str(program)], check=True)  # fmt: skip
    (artifact,) = [p for p in folder.iterdir() if p.suffix in {".pte", ".so"}]
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, libraries))}
    ran = subprocess.run([program, artifact], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def of_ones(model: str) -> float:
    """What the model's output begins with."""
    names: dict[str, Any] = {}
    exec(Path(model.removesuffix(":build")).read_text(), names)
    net, _ = names["build"]()
    with torch.no_grad():
        return float(net(torch.ones(1, 3, 64, 64))[0, 0])


def said(text: str) -> float:
    found = re.fullmatch(r"10 values, the first (\S+)\n", text)
    assert found is not None, text
    return float(found[1])


def library(name: str) -> Path:
    """Not by import: a folder of tests is called like one of them."""
    return Path(sysconfig.get_paths()["purelib"]) / name


def test_cpp_of_tvm_runs(model: str, folders: dict[str, Path], tmp_path: Path) -> None:
    tvm, ffi = library("tvm"), library("tvm_ffi")
    include = [f"-I{ffi / 'include'}", f"-I{ffi / '3rdparty' / 'dlpack' / 'include'}"]
    link = [f"-L{tvm / 'lib'}", f"-L{ffi / 'lib'}", "-ltvm_runtime", "-ltvm_ffi"]
    text = compiled(folders["tvm"], [*include, *link], [tvm / "lib", ffi / "lib"], tmp_path)
    assert said(text) == pytest.approx(of_ones(model), rel=1e-4)


def test_cpp_of_executorch_runs(model: str, folders: dict[str, Path], tmp_path: Path) -> None:
    home = library("executorch")
    portable = home / "include/executorch/runtime/core/portable_type/c10"
    names = ("executorch", "executorch_kernels_optimized", "executorch_backend_xnnpack", "executorch_threadpool")  # fmt: skip
    words = ["-DC10_USING_CUSTOM_GENERATED_MACROS", f"-I{home / 'include'}", f"-I{portable}"]
    link = [f"-L{home / 'lib'}", "-Wl,--no-as-needed", *(f"-l{name}" for name in names)]
    text = compiled(folders["executorch"], [*words, *link], [home / "lib"], tmp_path)
    assert said(text) == pytest.approx(of_ones(model), rel=1e-4)


def test_what_is_not_compiled_here_says_so_and_knows_the_ports(folders: dict[str, Path]) -> None:
    expected = {
        "onnx/call.cpp": ["input_0(12288", '{"image"}', "{1, 3, 64, 64}"],
        "tflite/call.cpp": ["set(0, input_0)", "input_0(12288"],
        "tflite/Call.kt": ["input0: FloatArray", "buffer(49152)", "listOf(40)"],
        "tflite/Call.java": ["float[] input0", "buffer(49152)", "OUTPUT_BYTES = {40}"],
        "executorch/Call.kt": ["longArrayOf(1, 3, 64, 64)", "fun prepare(pixels: IntArray)"],
        "executorch/Call.java": ["new long[] {1, 3, 64, 64}", "static float[] prepare(int[]"],
    }
    for name, pieces in expected.items():
        format, file = name.split("/")
        text = (folders[format] / "call" / file).read_text()
        assert "not compiled by edgevit" in text
        for piece in pieces:
            assert piece in text.replace("{{", "{"), (name, piece)
        for left, right in ("()", "{}", "[]"):
            assert text.count(left) == text.count(right), name
        if file.endswith(".kt") and grammars_are_here():
            assert syntax_errors(folders[format] / "call" / file) == []
    for format in ("tvm", "executorch"):
        assert "not compiled" not in (folders[format] / "call" / "call.cpp").read_text()


def test_swift_by_feature_names_and_pictures(model: str, tmp_path: Path) -> None:
    plain = export(model, target="iphone", output=tmp_path / "plain")
    text = (plain.directory / "call" / "Call.swift").read_text()
    assert '"image": MLMultiArray' in text and "shape: [1, 3, 64, 64]" in text
    assert f'forResource: "{plain.artifact.stem}"' in text
    if grammars_are_here():
        assert syntax_errors(plain.directory / "call" / "Call.swift") == []
    picture = export(
        model, target="iphone", output=tmp_path / "p", image_input=True, mean=MEAN, std=STD
    )
    text = (picture.directory / "call" / "Call.swift").read_text()
    assert "CVPixelBuffer" in text and "prepare" not in text.split("import CoreML")[1]


@pytest.mark.parametrize("pixels", [True, False])
def test_firmware_is_called_row_by_row_on_the_core(pixels: bool, tmp_path: Path) -> None:
    """From 0-255 pixels to the class, compiled against the bundle's header, bit for bit the integer model."""
    model = "zoo:vit-i32-p8-d24-h2-l1"
    found = export(model, target="qemu-m3", output=tmp_path / "f", image_input=pixels)
    bundle = read_bundle(found.directory)
    call = (found.directory / "call" / "call.c").read_text()
    assert "ev_model_push_rows" in call
    program = f"""{call}
#include "ev_run.h"
EV_INPUT uint8_t rgb[{32 * 32 * 3}];
static int8_t row[96];
static const int8_t *next_row(uint32_t y) {{ prepare_row(rgb + 96 * y, row); return row; }}
int main(void)
{{
    if (call(next_row) != EV_OK)
        return 1;
    uint32_t best = largest();
    float real = value(best);
    ev_emit(output_0, sizeof(output_0));
    ev_emit(&best, sizeof(best));
    ev_emit(&real, sizeof(real));
    return 0;
}}
"""
    tool, core = toolchain("zig"), bundle.core
    elf = link_firmware(found.directory / "firmware", program, core, tool, tmp_path)
    picture = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    ran = emulator(emulators_of(core)[0]).run(elf, core, inputs={"rgb": picture.tobytes()})
    assert ran.status == 0
    taken = picture.astype(np.float64) if pixels else (picture / 255 - 0.5) / 0.5
    image = torch.from_numpy(taken).permute(2, 0, 1)[None].numpy()
    (expected,) = outputs_of(bundle.graph, bundle.quantized([image]))
    classes = np.frombuffer(ran.output[: expected.size], np.int8)
    assert np.array_equal(classes, expected.ravel())
    best = int(np.frombuffer(ran.output[expected.size :][:4], np.uint32)[0])
    assert best == int(expected.argmax())
    real = np.frombuffer(ran.output[expected.size + 4 :], np.float32)[0]
    assert real == pytest.approx(bundle.dequantized([expected])[0].ravel()[best], rel=1e-6)


@pytest.mark.parametrize("form", ["streamed", "binary@0x90000000"])
def test_firmware_says_where_its_weights_must_be(form: str, tmp_path: Path) -> None:
    wish = FirmwareOptions(weights_as=form)
    found = export(
        "zoo:vit-i32-p8-d24-h2-l1", target="qemu-m3", output=tmp_path / "f", backend_options=wish
    )
    text = (found.directory / "call" / "call.c").read_text()
    assert ("ev_model_read_weights" in text) == (form == "streamed")
    assert ("put at 0x90000000" in text) == form.startswith("binary")


def manifest_of(dtype: str, format: str) -> dict[str, object]:
    port = {"name": "x", "shape": [2, 5], "dtype": dtype}
    two = [port, {**port, "name": "y", "shape": []}]
    model = {"name": "n", "inputs": [{"shape": [2, 5]}] * 2, "preprocess": None, "options": {}}
    return {
        "model": model,
        "format": format,
        "artifact": "n.bin",
        "ports": {"inputs": two, "outputs": two},
    }


@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8", "float16", "bool"])
@pytest.mark.parametrize("format", [*FORMATS, "coreml"])
def test_types_a_language_cannot_say_are_left_out_and_told(
    dtype: str, format: str, tmp_path: Path
) -> None:
    left_out = write_calls(tmp_path, manifest_of(dtype, format))
    written = {path.name for path in (tmp_path / "call").glob("*")}
    assert not any(re.search(r"@[A-Z_]+@", (tmp_path / "call" / n).read_text()) for n in written)
    if dtype == "float16":
        assert not written - {"call.py"} and all("`x` is float16" in why for why in left_out)
    if dtype == "float32":
        assert not left_out
