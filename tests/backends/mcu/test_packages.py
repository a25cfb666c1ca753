"""Packages of firmware, by the tools that take them where these are here, else by a compiler as the tools lay files out."""

from __future__ import annotations

import ast
import re
import shutil
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from edgevit.backends.mcu.board.weights import WeightsForm
from edgevit.backends.mcu.packages.builders import _PLATFORMIO, _ZEPHYR
from edgevit.backends.mcu.packages.table import LIBRARY, PACKAGES, WEIGHTS, write_packages
from edgevit.cli.main import main
from edgevit.cli.package import KINDS
from edgevit.errors import UsageError
from edgevit.integer import outputs_of
from edgevit.targets import load_target
from tests.backends.mcu.random_nets import random_net
from tests.backends.mcu.test_bundle import ENVIRONMENT, SMALL, ZEPHYR, bundle, need, said
from tests.backends.mcu.test_states import stateful_bundle

ARM = ["-mcpu=cortex-m0plus", "-mthumb", "-ffreestanding", "-fno-exceptions", "-Wall", "-Wextra", "-Werror"]  # fmt: skip


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    bundle(folder / "firmware", "rp2040", WeightsForm("c"))
    write_packages({folder: "rp2040"}, tuple(PACKAGES), folder / "out")
    return folder / "out"


def test_each_is_offered() -> None:
    assert (*PACKAGES, LIBRARY, WEIGHTS) == KINDS


def test_boards_are_of_targets_that_there_are() -> None:
    for name in {*_PLATFORMIO, *_ZEPHYR}:
        assert load_target(name).name == name


ARDUINO_H = """#pragma once
#include <stdint.h>
#include <stddef.h>
struct Port { void begin(long); template <class T> void print(T); template <class T> void println(T); };
extern Port Serial;
unsigned long micros();
void delay(unsigned long);
"""


# No C library for this core has to be here.
STRING_H = """#include <stddef.h>
#ifdef __cplusplus
extern "C"
#endif
int memcmp(const void *, const void *, size_t);
"""


def _as_arduino_has(folder: Path) -> list[str]:
    """Headers of its core, and of a C library in C++."""
    (folder / "Arduino.h").write_text(ARDUINO_H)
    (folder / "string.h").write_text(STRING_H)
    return [*ARM, "-fsyntax-only", f"-I{folder}"]


def test_arduino(packages: Path, tmp_path: Path) -> None:
    (file,) = (packages / "arduino").glob("*.zip")
    with zipfile.ZipFile(file) as archive:
        archive.extractall(tmp_path)
    library = tmp_path / file.stem
    sketch = library / "examples" / "SelfTest"
    flags = [*_as_arduino_has(tmp_path), f"-I{library / 'src'}"]
    said(sketch, "arm-none-eabi-g++", *flags, "-include", "Arduino.h", "-x", "c++", "SelfTest.ino")
    sources = sorted(str(path) for path in (library / "src").glob("*.c"))
    c_library = ["-isystem", str(packages.parent / "firmware" / "port" / "include")]
    c_flags = [*ARM, "-fsyntax-only", f"-I{library / 'src'}", *c_library]
    said(sketch, "arm-none-eabi-gcc", *c_flags, "ev_golden.c", *sources)
    assert len(sources) > 3


def test_platformio(packages: Path, tmp_path: Path) -> None:
    need("pio", "-; pip install platformio")
    folder = packages / "platformio"
    linted = said(folder, "pio", "project", "config", "--lint", "--json-output")
    assert ast.literal_eval(linted) == {"errors": [], "warnings": []}
    text = (folder / "platformio.ini").read_text()
    assert "board = pico\n" in text and "platform = raspberrypi\n" in text
    flags = [*_as_arduino_has(tmp_path), "-Ilib/ev_model/src"]
    said(folder, "arm-none-eabi-g++", *flags, "src/main.cpp")


def test_zephyr(packages: Path, tmp_path: Path) -> None:
    folder = packages / "zephyr"
    sample = yaml.safe_load((folder / "sample.yaml").read_text())
    (test,) = sample["tests"].values()
    assert test["integration_platforms"] == ["rpi_pico"]
    assert sample["common"]["harness_config"]["regex"] == ["golden ok"]
    module = yaml.safe_load((folder / "module" / "zephyr" / "module.yml").read_text())
    assert (folder / "module" / module["build"]["kconfig"]).is_file()
    for line in (folder / "prj.conf").read_text().splitlines():
        assert re.fullmatch(r"#.*|CONFIG_\w+=(y|\d+)", line)
    shutil.copytree(folder / "module", tmp_path / "MODULE")
    for name in ("port", "cmake"):
        shutil.copytree(packages.parent / "firmware" / name, tmp_path / "MODULE" / name)
    (tmp_path / "CMakeLists.txt").write_text(ZEPHYR)
    said(tmp_path, "cmake", "-B", "build", "--toolchain", "MODULE/cmake/gcc.cmake")
    said(tmp_path, "cmake", "--build", "build")


IDF = """cmake_minimum_required(VERSION 3.16)
project(app C ASM)
# What ESP-IDF's own function of this name does, as far as the component asks for it.
function(idf_component_register)
  cmake_parse_arguments(PARSE_ARGV 0 idf "" "" "SRCS;INCLUDE_DIRS;PRIV_INCLUDE_DIRS")
  add_library(ev_model STATIC ${idf_SRCS})
  target_include_directories(ev_model PUBLIC ${idf_INCLUDE_DIRS} PRIVATE ${idf_PRIV_INCLUDE_DIRS} PORT/include)
  target_compile_options(ev_model PRIVATE -ffreestanding)
  set(COMPONENT_LIB ev_model PARENT_SCOPE)
endfunction()
add_subdirectory(COMPONENT)
"""


def test_esp_idf(tmp_path: Path) -> None:
    bundle(tmp_path / "firmware", "esp32-c3", WeightsForm("c"))
    (component,) = write_packages({tmp_path: "esp32-c3"}, ["esp-idf"], tmp_path / "out")
    manifest = yaml.safe_load((component / "idf_component.yml").read_text())
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", manifest["version"])
    for example in manifest["examples"]:
        assert (component / example["path"] / "CMakeLists.txt").is_file()
    assert {path.name for path in (component / "examples/selftest/main").iterdir()} >= {"main.c", "ev_golden.c", "ev_example.h"}  # fmt: skip
    shutil.copytree(component, tmp_path / "COMPONENT")
    shutil.copytree(tmp_path / "firmware" / "port" / "include", tmp_path / "COMPONENT/PORT/include")
    (tmp_path / "CMakeLists.txt").write_text(IDF)
    toolchain = tmp_path / "firmware" / "cmake" / "gcc.cmake"
    said(tmp_path, "cmake", "-B", "build", "--toolchain", str(toolchain))
    said(tmp_path, "cmake", "--build", "build")


def test_cmsis_pack(packages: Path) -> None:
    (file,) = (packages / "cmsis-pack").glob("*.pack")
    with zipfile.ZipFile(file) as archive:
        names = set(archive.namelist())
        (description,) = (name for name in names if name.endswith(".pdsc"))
        root = ET.fromstring(archive.read(description))
    vendor, name = root.findtext("vendor"), root.findtext("name")
    release = root.find("releases/release")
    assert release is not None
    assert description == f"{vendor}.{name}.pdsc"
    assert file.name == f"{vendor}.{name}.{release.get('version')}.pack"
    order = ["vendor", "name", "description", "url", "license", "releases", "conditions", "components"]  # fmt: skip
    assert [child.tag for child in root] == order
    assert {one.get("Dcore") for one in root.iter("accept")} == {"Cortex-M0", "Cortex-M0+"}
    listed = {one.get("name") or "" for one in root.iter("file")}
    assert {one for one in listed if not one.endswith("/")} <= names
    assert all(any(n.startswith(one.removeprefix("./")) for n in names) for one in listed)
    assert {n for n in names if n.endswith((".c", ".S"))} <= listed
    assert root.findtext("license") in names


@pytest.mark.parametrize("kind", [pytest.param("stateless", marks=pytest.mark.long), "with states"])
def test_rust(kind: str, packages: Path, tmp_path: Path) -> None:
    """The crate's own test: golden vectors, whole and by rows; with states two calls, from a reset on."""
    need("cargo", "cargo")
    folder = tmp_path / "crate"
    if kind == "with states":
        stateful_bundle(tmp_path, "rp2040")
        (written,) = write_packages({tmp_path: "rp2040"}, ["rust"], tmp_path / "out")
        assert "reset_state" in (written / "src" / "lib.rs").read_text()
        packages = written.parent
    shutil.copytree(packages / "rust", folder)
    assert "#![no_std]" in (folder / "src" / "lib.rs").read_text()
    ENVIRONMENT["HOME"] = ENVIRONMENT.get("HOME", "/")
    assert "1 passed" in said(folder, "cargo", "test", "--offline", "--quiet", "--test", "golden")


def test_weights_in_another_form_are_refused(tmp_path: Path) -> None:
    bundle(tmp_path / "firmware", "qemu-m4", WeightsForm("object"))
    with pytest.raises(UsageError, match="weights as C"):
        write_packages({tmp_path: "qemu-m4"}, ["rust"], tmp_path / "out")


def test_words_that_are_no_package(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["package", str(tmp_path), "--for", "rusty"]) == 2
    assert "rust" in capsys.readouterr().err
    assert main(["package", str(tmp_path), "--for", "rust"]) == 12


BOTH = """#include <string.h>
#include "ev_models.h"
#include "ev_port.h"
@GOLDEN@
static ev_models_arena arena;
static uint8_t result[4096];
int main(void)
{
    ev_port_init();
    int good = 1;
    for (int turn = 0; turn < 2; turn++) {
@RUNS@
    }
    for (const char *text = good ? "both ok\\n" : "bad\\n"; *text; text++)
        ev_port_put(*text);
    ev_port_exit(!good);
    return 0;
}
"""


def _with_states(folder: Path) -> tuple[str, str]:
    """Write a third network, which keeps its states while the others run; return its vectors and its call."""
    stateful_bundle(folder / "third", "qemu-m4")
    golden = (folder / "third" / "firmware" / "selftest" / "ev_golden.c").read_text()
    arrays = re.findall(r"(input|output)_(\d)\[\d+\] = (\{.+?\});", golden, re.DOTALL)
    vectors = "".join(
        f"static const uint8_t third_{kind}_{k}[] = {data};\n" for kind, k, data in arrays
    )
    assert [kind for kind, *_ in arrays] == ["input", "output", "output"]
    call = """        const void *const third_inputs[] = {third_input_0};
        void *const third_outputs[] = {result};
        const uint8_t *const third[] = {third_output_0, third_output_1};
        good &= turn > 0 || third_reset_state(own.bytes) == EV_OK;
        good &= third_run(third_inputs, third_outputs, own.bytes) == EV_OK;
        good &= memcmp(result, third[turn], sizeof third_output_0) == 0;
"""
    return f"{vectors}static third_arena own;\n", call


def test_networks_take_turns_in_one_arena(tmp_path: Path) -> None:
    seeds = (SMALL, next(s for s in range(SMALL + 1, 99) if len(random_net(s)[0].ops) < 9))
    folders: dict[Path, str] = {}
    golden, runs = "", ""
    for name, seed in zip(("first", "second"), seeds, strict=True):
        bundle(tmp_path / name / "firmware", "qemu-m4", WeightsForm("c"), seed)
        folders[tmp_path / name] = "qemu-m4"
        graph, inputs = random_net(seed)
        (expected,) = outputs_of(graph, inputs)
        sent = [data.view(np.uint8).ravel().tolist() for data in (*inputs, expected)]
        for kind, data in zip(("in", "out"), sent, strict=True):
            golden += f"static const uint8_t {name}_{kind}[] = {{{', '.join(map(str, data))}}};\n"
        runs += f"""        const void *const {name}_inputs[] = {{{name}_in}};
        void *const {name}_outputs[] = {{result}};
        good &= {name}_run({name}_inputs, {name}_outputs, arena.bytes) == EV_OK;
        good &= memcmp(result, {name}_out, sizeof {name}_out) == 0;
"""
    folders[tmp_path / "third"] = "qemu-m4"
    golden, runs = (
        text + more for text, more in zip((golden, runs), _with_states(tmp_path), strict=True)
    )
    (library,) = write_packages(folders, ["library"], tmp_path / "out")
    port = tmp_path / "first" / "firmware" / "port"
    (tmp_path / "main.c").write_text(BOTH.replace("@GOLDEN@", golden).replace("@RUNS@", runs))
    toolchain = tmp_path / "first" / "firmware" / "cmake" / "gcc.cmake"
    listed = (library / "CMakeLists.txt").read_text()
    (library / "CMakeLists.txt").write_text(listed + f"target_include_directories(ev_models PRIVATE {port / 'include'})\n")  # fmt: skip
    said(tmp_path, "cmake", "-S", str(library), "-B", "build", "--toolchain", str(toolchain))
    said(tmp_path, "cmake", "--build", "build")
    flags = re.search(r'CMAKE_C_FLAGS_INIT "(.+)"', toolchain.read_text())
    assert flags
    sources = [str(path) for path in port.glob("*.[cS]") if path.name != "output_uart.c"]
    includes = [f"-I{folder}" for folder in (library, library / "include", port, port / "include")]
    words = [*flags[1].split(), "-O1", "-ffreestanding", "-nostdlib", *includes, "main.c", *sources]
    said(tmp_path, "arm-none-eabi-gcc", *words, "build/libev_models.a", "-lgcc", "-T", str(port / "board.ld"), "-Wl,-z,noexecstack", "-Wl,--no-warn-rwx-segments", "-o", "both.elf")  # fmt: skip
    ran = (
        "qemu-system-arm",
        "-M",
        "mps2-an386",
        "-display",
        "none",
        "-semihosting",
        "-kernel",
        "both.elf",
    )
    assert "both ok" in said(tmp_path, "sh", "-c", f"{' '.join(ran)} 2>&1")


def test_other_cores_and_equal_names_are_refused(tmp_path: Path) -> None:
    for name, board in (("a", "qemu-m4"), ("b", "qemu-m3"), ("deeper/a", "qemu-m4")):
        bundle(tmp_path / name / "firmware", board, WeightsForm("c"))
    with pytest.raises(UsageError, match="another core"):
        write_packages({tmp_path / "a": "qemu-m4", tmp_path / "b": "qemu-m3"}, ["library"], tmp_path / "o")  # fmt: skip
    with pytest.raises(UsageError, match="cannot begin the names"):
        write_packages({tmp_path / "a": "qemu-m4", tmp_path / "deeper/a": "qemu-m4"}, ["library"], tmp_path / "p")  # fmt: skip
    with pytest.raises(UsageError, match="of one network"):
        write_packages({tmp_path / "a": "qemu-m4", tmp_path / "b": "qemu-m3"}, ["rust"], tmp_path / "q")  # fmt: skip


UPDATE = """#include <stdio.h>
#include <stdlib.h>
#include "ev_weights_image.h"
int main(int count, char **words)
{
    (void)count;
    static uint32_t image[1 << 18];
    FILE *file = fopen(words[1], "rb");
    if (fread(image, 1, sizeof image, file) == 0)
        return 1;
    printf("%u\\n", ev_weights_version(image));
    return 0;
}
"""


def test_a_program_takes_weights_of_its_own_code_alone(tmp_path: Path) -> None:
    """Another version of the same net; not another net's, not a changed byte, not nothing."""
    other = next(s for s in range(SMALL + 1, 99) if len(random_net(s)[0].ops) < 9)
    for name, seed, form in (
        ("mine", SMALL, "c"),
        ("same", SMALL, "binary"),
        ("other", other, "c"),
    ):
        weights = WeightsForm(form, 0x21000000 if form == "binary" else None)
        bundle(tmp_path / name / "firmware", "qemu-m4", weights, seed)
    images = {
        name: write_packages({tmp_path / name: "qemu-m4"}, [WEIGHTS], tmp_path / f"{name}-out", 7)[
            0
        ]
        for name in ("mine", "same", "other")
    }
    folder = images["mine"].parent
    (folder / "main.c").write_text(UPDATE)
    said(folder, "gcc", "-Wall", "-Wextra", "-Werror", "-Wsign-conversion", "main.c", "-o", "main")
    said(folder, "g++", "-Wall", "-Werror", "-x", "c++", "-fsyntax-only", "main.c")
    data = images["mine"].read_bytes()
    assert len(data) % 16 == 0
    changed = folder / "changed.bin"
    changed.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    (folder / "short.bin").write_bytes(b"EVW1")
    files = [images["mine"], images["same"], images["other"], changed, folder / "short.bin"]
    assert [said(folder, str(folder / "main"), str(file)) for file in files] == ["7\n", "7\n", "0\n", "0\n", "0\n"]  # fmt: skip
