"""Makefile, CMake files, and the manifests of Zephyr, PlatformIO and Arduino, filled in for a bundle."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import edgevit
from edgevit.backends.mcu.board.golden import filled
from edgevit.backends.mcu.board.port import BoardPort
from edgevit.backends.mcu.board.weights import NAME, WeightsForm
from edgevit.backends.mcu.cores import Core
from edgevit.support.quoting import cmake_word, comment, make_word, word
from edgevit.support.resources import data_dir
from edgevit.targets import CODE_MEMORY, EmulatedBoard, Target

_FILES = (
    "LICENSE",
    "Makefile",
    "CMakeLists.txt",
    "cmake/gcc.cmake",
    "cmake/zig.cmake",
    "zephyr/module.yml",
    "zephyr/Kconfig",
    "zephyr/CMakeLists.txt",
)
CTEST = " && ctest --test-dir build/cmake"
# gcc makes a call of memset out of the loop in memset, and warns of a section both written and run.
_GCC = ("-fno-tree-loop-distribute-patterns",)
_ZIG = ("-fomit-frame-pointer", "-fno-sanitize=undefined", "-fno-stack-protector")


@dataclass(frozen=True)
class Build:
    """Values that the templates are filled from."""

    name: str  # of the network
    target: Target
    core: Core
    port: BoardPort
    sources: tuple[str, ...]  # of the network, without weights
    weights: WeightsForm

    @property
    def model_sources(self) -> tuple[str, ...]:
        return (*self.sources, f"{NAME}.c") if self.weights.form == "c" else self.sources

    @property
    def selftest_sources(self) -> tuple[str, ...]:
        more = ("selftest/read_weights.c", "selftest/weights.S") if self.weights.is_streamed else ()
        return ("selftest/selftest.c", "selftest/ev_golden.c", *more)

    @property
    def default_toolchain(self) -> str:
        return "zig" if self.core.clang else "gcc"

    @property
    def gcc_prefix(self) -> str:
        return "arm-none-eabi-" if self.core.is_arm else "riscv64-unknown-elf-"

    @property
    def default_output(self) -> str:
        emulated = self.target.emulator is not None
        return "uart" if self.port.has_uart and not emulated else "semihosting"


def write_build_files(build: Build, folder: Path) -> None:
    templates, values = data_dir("kernels") / "bundle", _values(build)
    for name in _FILES:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(filled((templates / name).read_text(), values))
    if build.port.board in _UF2_FAMILIES:
        shutil.copy(templates / "uf2.py", folder)
    if build.weights.form == "c":
        _write_platformio(build, folder)
        _write_arduino(build, folder)


def _values(build: Build) -> dict[str, object]:
    core = build.core
    port = [f"port/{name}" for name in build.port.sources]
    return {
        "NAME": word(build.name),
        "TITLE": comment(build.target.title),
        "CORE": core.title,
        "ARCHITECTURE": core.architecture,
        "TOOLCHAIN": build.default_toolchain,
        "OUTPUT": build.default_output,
        "GCC_PREFIX": build.gcc_prefix,
        "GCC_FLAGS": " ".join((*core.gcc, *_GCC)),
        "ZIG_FLAGS": " ".join((*core.zig, *_ZIG)),
        "MODEL_SOURCES": " ".join(build.model_sources),
        "PORT_SOURCES": " ".join(port),
        "SELFTEST_SOURCES": " ".join(build.selftest_sources),
        "WEIGHTS_OBJECT": f"{NAME}.o" if build.weights.form == "object" else "",
        # zig keeps objects by their source and flags, and does not see what they include.
        "SUM": "-DEV_SUM=$(firstword $(shell cksum < edgevit_model_weights.bin)) "
        if build.weights.is_streamed
        else "",
        "WEIGHTS_FLAG": _address_flag(build.weights),
        "WEIGHTS_CMAKE": _weights_cmake(build.weights),
        **_uf2(build),
        "TEST": CTEST if build.target.emulator else "",
        "RUN": _make_run(build.target.emulator, build.weights),
        "TEST_CMAKE": _cmake_test(build.target.emulator, build.weights),
        "ZEPHYR_SOURCES": "".join(f"    ../{source}\n" for source in _zephyr_sources(build)),
        "ZEPHYR_DEFINE": _zephyr_define(build.weights),
    }


# Of boards whose boot ROM is a drive: microsoft/uf2, utils/uf2families.json.
_UF2_FAMILIES = {"rp2040": 0xE48BFF56, "rp2350": 0xE48BFF59}


def _uf2(build: Build) -> dict[str, object]:
    family = _UF2_FAMILIES.get(build.port.board)
    if family is None:
        return {"ABOUT_DRIVE": "", "MAKE_DRIVE": "", "DRIVE": ""}
    start = min(r.base for r in build.target.regions if r.kind in CODE_MEMORY)
    return {
        "ABOUT_DRIVE": "\n#   make uf2                    selftest.uf2, to copy onto the board's drive",
        "MAKE_DRIVE": (
            "\nuf2: $(BUILD)/selftest.uf2\n\n$(BUILD)/selftest.uf2: $(BUILD)/selftest.bin uf2.py\n"
            f"\tpython3 uf2.py $< {start:#010x} {family:#010x} $@\n"
        ),
        "DRIVE": " uf2",
    }


def _address_flag(weights: WeightsForm) -> str:
    return f" -DEV_MODEL_WEIGHTS_ADDRESS={weights.address:#010x}u" if weights.address is not None else ""  # fmt: skip


def _weights_cmake(weights: WeightsForm) -> str:
    if weights.form == "object":
        return (
            f"set_source_files_properties({NAME}.o PROPERTIES EXTERNAL_OBJECT TRUE)\n"
            f"target_sources(ev_model PRIVATE {NAME}.o)\n"
        )
    if weights.is_streamed:
        data = f"${{CMAKE_CURRENT_SOURCE_DIR}}/{NAME}.bin"
        return (
            f"file(SHA256 {data} EV_SUM) # for zig, which keeps objects and does not see what they include\n"
            f"set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS {data})\n"
            "set_source_files_properties(selftest/weights.S PROPERTIES\n"
            f"  OBJECT_DEPENDS {data} COMPILE_DEFINITIONS EV_SUM_${{EV_SUM}})\n"
        )
    if weights.address is not None:
        return f"target_compile_definitions(ev_model PUBLIC EV_MODEL_WEIGHTS_ADDRESS={weights.address:#010x}u)\n"
    return ""


def _zephyr_sources(build: Build) -> Sequence[str]:
    return (*build.model_sources, *([f"{NAME}.o"] if build.weights.form == "object" else []))


def _zephyr_define(weights: WeightsForm) -> str:
    if weights.address is None:
        return ""
    return f"  zephyr_compile_definitions(EV_MODEL_WEIGHTS_ADDRESS={weights.address:#010x}u)\n"


def emulator_command(
    emulator: EmulatedBoard,
    weights: WeightsForm,
    program: str,
    data: str,
    quoted: Callable[[str], str] = make_word,
) -> list[str]:
    """Return the QEMU command as words of make or CMake.

    The program's semihosting and its UART are on the terminal.
    """
    cpu = ["-cpu", quoted(emulator.cpu)] if emulator.cpu else []
    bios = ["-bios", "none"] if "riscv" in emulator.program else []
    loaded = []
    if weights.address is not None:
        loaded = ["-device", f"loader,file={data},addr={weights.address:#010x},force-raw=on"]
    return [
        quoted(emulator.program),
        *("-M", quoted(emulator.machine), *cpu, *bios, "-display", "none", "-monitor", "none"),
        *("-chardev", "stdio,id=text,mux=on", "-serial", "chardev:text"),
        *("-semihosting-config", "enable=on,target=native,chardev=text"),
        *("-icount", "shift=5,sleep=off"),  # 32 ns an instruction: the same ticks every time
        *("-kernel", program, *loaded),
    ]


def _make_run(emulator: EmulatedBoard | None, weights: WeightsForm) -> str:
    if emulator is None:
        return 'echo "No emulator has this board: flash $< and listen." >&2; false'
    words = emulator_command(emulator, weights, "$<", weights.file)
    return " ".join(words) + " < /dev/null"


def _cmake_test(emulator: EmulatedBoard | None, weights: WeightsForm) -> str:
    if emulator is None:
        return ""
    data = f"${{CMAKE_CURRENT_SOURCE_DIR}}/{weights.file}"
    words = emulator_command(emulator, weights, "$<TARGET_FILE:selftest>", data, cmake_word)
    return (
        "  enable_testing()\n"
        f"  add_test(NAME selftest COMMAND {' '.join(words)})\n"
        '  set_tests_properties(selftest PROPERTIES TIMEOUT 300 PASS_REGULAR_EXPRESSION "golden ok")\n'
    )


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "network"


def _about(build: Build) -> str:
    return f"{word(build.name)} as integers, in C99 without heap, for {build.core.title}"


def _write_platformio(build: Build, folder: Path) -> None:
    manifest = {
        "name": f"ev-model-{_slug(build.name)}",
        "version": edgevit.__version__,
        "description": _about(build),
        "keywords": ["neural network", "vision", "int8"],
        "license": "Apache-2.0",
        "frameworks": "*",
        "platforms": "*",
        "headers": "edgevit_model.h",
        "build": {
            "srcDir": "src",
            "includeDir": "src",
        },
    }
    (folder / "library.json").write_text(json.dumps(manifest, indent=2) + "\n")


def _write_arduino(build: Build, folder: Path) -> None:
    """Write the Arduino library.

    Arduino's builder compiles what is below src/, with that as the only include folder. A file
    there includes each source and header in one line.
    """
    properties = {
        "name": f"ev_model_{_slug(build.name)}",
        "version": edgevit.__version__,
        "author": "edgevit",
        "maintainer": "edgevit",
        "sentence": _about(build) + ".",
        "paragraph": "Call it by edgevit_model.h; README.md says how.",
        "category": "Data Processing",
        "url": "https://pypi.org/project/edgevit/",
        "architectures": "*",
        "includes": "edgevit_model.h",
    }
    (folder / "library.properties").write_text("".join(f"{k}={v}\n" for k, v in properties.items()))
    (folder / "src").mkdir()
    headers = [path.name for path in folder.glob("*.h")]
    headers += [f"include/{path.name}" for path in (folder / "include").glob("*.h")]
    for name in (*build.model_sources, *headers):
        text = f'/* SPDX-License-Identifier: Apache-2.0 */\n#include "../{name}"\n'
        (folder / "src" / Path(name).name).write_text(text)
