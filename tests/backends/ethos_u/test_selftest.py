"""Firmware that tests a net on a board: built and run on this machine, against stand-ins of what it is linked with."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgevit.backends.ethos_u.boards import boards
from edgevit.backends.ethos_u.session import open_golden
from edgevit.exported.golden import load_golden
from edgevit.targets import load_target

pytest.importorskip("ethosu.vela", reason="pip install 'edgevit[ethos-u]'")
STAND_INS = Path(__file__).parent / "tflm"


@pytest.fixture(scope="module")
def tflm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder laid out as TensorFlow Lite Micro's sources are."""
    root = tmp_path_factory.mktemp("tflm")
    places = {
        "micro_interpreter.h": "tensorflow/lite/micro",
        "micro_mutable_op_resolver.h": "tensorflow/lite/micro",
        "schema_generated.h": "tensorflow/lite/schema",
        "ethosu_driver.h": "tensorflow/lite/micro/tools/make/downloads/ethos_u_core_driver/include",
        "device.h": "",
    }
    for name, place in places.items():
        (root / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(STAND_INS / name, root / place / name)
    return root


def array(folder: Path, name: str) -> np.ndarray:
    text = (folder / "call" / "golden.cpp").read_text()
    match = re.search(rf"{name}\[\d+\] = {{(.*?)}}", text, re.DOTALL)
    assert match
    return np.array(
        [int(number) for number in match[1].replace("\n", "").split(",") if number.strip()]
    )


def test_golden_integers_are_those_of_the_reference_kernels(folder: Path) -> None:
    (path,) = folder.glob("*_vela.tflite")
    interpreter = open_golden(path)
    ports = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    taken = array(folder, "edgevit_golden_input_0").reshape(ports[0]["shape"]).astype(np.int8)
    interpreter.set_tensor(ports[0]["index"], taken)
    interpreter.invoke()
    returned = interpreter.get_tensor(ports[1]["index"])
    assert np.array_equal(array(folder, "edgevit_golden_output_0"), returned.reshape(-1))
    inputs, _ = load_golden(folder)
    scale, zero = ports[0]["quantization"]
    assert np.abs((taken - zero) * scale - inputs[0].numpy()).max() <= scale / 2 + 1e-6


@pytest.mark.skipif(not shutil.which("cmake"), reason="apt-get install cmake")
def test_the_firmware_tells_a_wrong_byte(folder: Path, tflm: Path, tmp_path: Path) -> None:
    sizes = {name: len(array(folder, f"edgevit_golden_{name}_0")) for name in ("input", "output")}
    call = folder / "call"
    words = ["c++", "-std=c++17", "-c", str(STAND_INS / "stand_in.cpp"), "-o", "stand_in.o"]
    includes = (
        call,
        tflm,
        tflm / "tensorflow/lite/micro/tools/make/downloads/ethos_u_core_driver/include",
    )
    words += [f"-I{place}" for place in includes]
    words += [f"-D{name.upper()}_BYTES={count}" for name, count in sizes.items()]
    subprocess.run(words, cwd=tmp_path, check=True)
    subprocess.run(["ar", "rcs", "libtflm.a", "stand_in.o"], cwd=tmp_path, check=True)
    settings = [
        f"-DTFLM_DIR={tflm}",
        f"-DTFLM_LIBRARY={tmp_path}/libtflm.a",
        "-DEDGEVIT_DEVICE_HEADER=device.h",
        "-DEDGEVIT_ARENA_SECTION=.bss.npu",
    ]
    build = ["cmake", "-S", str(call), "-B", str(tmp_path / "build"), *settings]
    assert subprocess.run(build, capture_output=True).returncode == 0
    subprocess.run(["cmake", "--build", str(tmp_path / "build")], check=True, capture_output=True)
    program = str(tmp_path / "build" / "edgevit_selftest")
    good = subprocess.run([program], capture_output=True, text=True)
    assert good.returncode == 0 and "self-test passed" in good.stdout
    assert f"registers {boards()['corstone-300'].base:#x}" in good.stdout
    wrong = subprocess.run([program], capture_output=True, text=True, env={"WRONG": "1"})
    assert wrong.returncode == 1 and "1 bytes differ" in wrong.stdout


@pytest.mark.skipif(not shutil.which("cmake"), reason="apt-get install cmake")
def test_a_build_without_tflm_says_what_it_needs(folder: Path, tmp_path: Path) -> None:
    build = ["cmake", "-S", str(folder / "call"), "-B", str(tmp_path)]
    result = subprocess.run(build, capture_output=True, text=True)
    assert result.returncode and "-DTFLM_DIR is missing" in result.stderr


def test_it_compiles_for_a_32_bit_arm(folder: Path, tflm: Path, tmp_path: Path) -> None:
    pytest.importorskip("ziglang", reason="pip install 'edgevit[mcu]'")
    driver = tflm / "tensorflow/lite/micro/tools/make/downloads/ethos_u_core_driver/include"
    board = boards()["corstone-300"]
    words = [
        "c++",
        "-target",
        "arm-linux-musleabihf",
        "-std=c++17",
        "-Wall",
        "-Werror",
        "-fno-exceptions",
        "-c",
    ]
    words += [
        f"-I{tflm}",
        f"-I{driver}",
        f"-DEDGEVIT_NPU_BASE={board.base}",
        f"-DEDGEVIT_NPU_IRQ={board.irq}",
    ]
    words += ['-DEDGEVIT_DEVICE_HEADER="device.h"']
    for name in ("call", "main", "selftest"):
        source = str(folder / "call" / f"{name}.cpp")
        subprocess.run([sys.executable, "-m", "ziglang", *words, source], cwd=tmp_path, check=True)
        assert (tmp_path / f"{name}.o").exists()


def test_every_board_is_a_target_with_an_ethos_u() -> None:
    for name, board in boards().items():
        target = load_target(name)
        assert "ethos-u" in target.formats and board.base and board.irq and board.core
