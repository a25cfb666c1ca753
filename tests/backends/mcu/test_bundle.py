"""Bundles as those meet them who have the folder and nothing else: outside the tree, by their own build files and README."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevit.backends.mcu.board.layout import layout, seams, static_bytes
from edgevit.backends.mcu.board.memory_map import memory_map
from edgevit.backends.mcu.board.weights import WeightsForm, weights_form
from edgevit.backends.mcu.board.write import write_board
from edgevit.backends.mcu.codegen.firmware import write_firmware
from edgevit.backends.mcu.cores import core_of
from edgevit.backends.mcu.schedule.search import best_plan, with_seam
from edgevit.errors import MemoryLimitError, MissingToolError, UsageError
from edgevit.export.api import export
from edgevit.integer.ops.products import Conv2d
from edgevit.targets import MemoryRegion, list_targets, load_target
from tests.backends.mcu.random_nets import random_net

TINY = "zoo:vit-i32-p8-d24-h2-l1"
BOARDS = [target.name for target in list_targets() if "mcu" in target.formats]
SMALL = next(
    seed
    for seed in range(99)
    if len(random_net(seed)[0].ops) <= 6
    and any(isinstance(op, Conv2d) for op in random_net(seed)[0].ops)
)
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}


def need(program: str, package: str) -> None:
    """Also from the environment that runs the tests."""
    folder = str(Path(sys.executable).parent)
    if shutil.which(program, path=f"{folder}{os.pathsep}{ENVIRONMENT['PATH']}") is None:
        raise MissingToolError(f"{program} is not installed", hint=f"apt-get install {package}")
    if folder not in ENVIRONMENT["PATH"].split(os.pathsep):
        ENVIRONMENT["PATH"] += f"{os.pathsep}{folder}"


def said(folder: Path, *words: str, fails: bool = False) -> str:
    """What a command prints in a folder; warnings of linkers, too, are printed and looked at."""
    need(words[0], words[0])
    done = subprocess.run(words, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)  # fmt: skip
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    assert "warning:" not in done.stderr
    return done.stdout


def bundle(folder: Path, board: str, form: WeightsForm, seed: int = SMALL) -> Path:
    """A small net's, without an export."""
    need("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    graph, inputs = random_net(seed)
    target = load_target(board)
    core = core_of(target)
    emitted = write_firmware(best_plan(graph, core), folder, core, form)
    write_board(folder, emitted, [inputs], target, core, form)
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("qemu-system-arm", "qemu-system-arm")
    folder = tmp_path_factory.mktemp("bundle")
    assert export(TINY, target="qemu-m4", output=folder / "out").passed
    shutil.copytree(folder / "out" / "firmware", folder / "alone")
    return folder / "alone"


def commands(readme: str) -> list[str]:
    """The lines to type, without what is said beside them."""
    lines = [line.strip() for line in readme.splitlines() if re.match(r"    (make|cmake)\b", line)]
    return [re.split(r"\s{3,}", line)[0] for line in lines]


def test_the_readme_is_enough(exported: Path) -> None:
    """Every command that it gives is typed."""
    readme = (exported / "README.md").read_text()
    typed = commands(readme)
    assert [line.split()[0] for line in typed] == ["make", "make", "make", "cmake"]
    for program, package in (("make", "make"), ("cmake", "cmake"), ("arm-none-eabi-gcc", "gcc-arm-none-eabi")):  # fmt: skip
        need(program, package)
    printed = "".join(said(exported, "sh", "-c", line) for line in typed)
    assert "golden ok\nend\n" in printed and "100% tests passed" in printed
    assert "-Werror" in printed
    assert (exported / "build" / "zig-semihosting" / "selftest.elf").is_file()
    for word in ("`emulated`", "instructions", "stack", "Apache", "ev_model_push_rows", "@"):
        assert (word in readme) == (word != "@")


def test_zig_passes_by_make_and_by_cmake(exported: Path, tmp_path: Path) -> None:
    out = said(exported, "make", "TOOLCHAIN=zig", "ZIG=python-zig", "run")
    assert out.endswith("golden ok\nend\n")
    folder = bundle(tmp_path / "b", "qemu-m4", WeightsForm("c"))
    said(folder, "cmake", "-B", "z", "--toolchain", "cmake/zig.cmake")
    said(folder, "cmake", "--build", "z")
    assert "100% tests passed" in said(folder, "ctest", "--test-dir", "z")


def test_the_selftest_says_what_was_agreed(exported: Path) -> None:
    lines = said(exported, "make", "-s", "run").splitlines()
    found = re.search(r'EV_MODEL_HASH "(\w+)"', (exported / "edgevit_model.h").read_text())
    assert found and lines[0] == f"edgevit selftest 1 {found[1]}"
    assert lines[-2:] == ["golden ok", "end"]
    assert re.fullmatch(r"total [1-9]\d* 25000000", lines[-3])
    layers = lines[1:-3]
    assert len(layers) > 20 and all(re.fullmatch(r"layer \S+ \d+", line) for line in layers)
    spent = sum(int(line.split()[2]) for line in layers)
    assert 0.8 < spent / int(lines[-3].split()[1]) < 1.3  # the layers' clock itself takes some


def test_a_debug_build_keeps_every_precondition(exported: Path) -> None:
    """Of the kernels and of the arena; a failed assertion is a fault, which ends without `golden ok`."""
    assert said(exported, "make", "-s", "DEBUG=1", "run").endswith("golden ok\nend\n")
    plain, debug = (exported / "build" / f"gcc-semihosting{ending}" for ending in ("", "-debug"))
    said(exported, "make", "-s")
    kernel = next((debug / "kernels").glob("ev_linear_s8*.o")).relative_to(debug)
    assert (debug / kernel).stat().st_size > (plain / kernel).stat().st_size


def changed(folder: Path, file: str, digit: re.Pattern[str]) -> None:
    text = (folder / file).read_text()
    place = digit.search(text)
    assert place
    start, number = place.start(1), int(place[1])
    (folder / file).write_text(text[:start] + str((number + 1) % 256) + text[place.end(1) :])


@pytest.mark.parametrize(
    ("file", "array"),
    [
        ("edgevit_model_weights.c", "ev_model_weights"),
        ("selftest/ev_golden.c", "input_0"),
        ("selftest/ev_golden.c", "output_0"),
    ],
)
def test_a_changed_byte_fails(exported: Path, file: str, array: str, tmp_path: Path) -> None:
    said(exported, "make", "-s")
    folder = tmp_path / "changed"
    shutil.copytree(exported, folder)
    changed(folder, file, re.compile(rf"{array}\[\w+\] = {{\s*(\d+)"))
    said(folder, "make", "-s", "BUILD=build/gcc-semihosting")
    assert "golden bad\nend\n" in said(folder, "make", "-s", "run", fails=True)


def test_weights_as_a_binary(tmp_path: Path) -> None:
    """In QEMU's external flash, which it fills from the file; any change of the file is noticed."""
    folder = bundle(tmp_path / "b", "qemu-m55", weights_form("binary", load_target("qemu-m55")))
    made = ("make", "-s", "ZIG=python-zig", "run")
    assert "golden ok" in said(folder, *made)
    weights = folder / "edgevit_model_weights.bin"
    whole = weights.read_bytes()
    for place in (0, len(whole) // 2, len(whole) - 1):
        weights.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert "golden bad" in said(folder, *made, fails=True)


def test_weights_as_an_object(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "b", "qemu-m4", WeightsForm("object"))
    assert not (folder / "edgevit_model_weights.c").exists()
    assert "golden ok" in said(folder, "make", "-s", "run")


@pytest.mark.parametrize("tool", ["gcc", "zig"])
def test_weights_that_are_streamed(tool: str, tmp_path: Path) -> None:
    """A piece before each loop, by a function of the program's; its failure is an error, never an answer."""
    folder = bundle(tmp_path / "b", "qemu-m4", WeightsForm("streamed"))
    made = ("make", "-s", f"TOOLCHAIN={tool}", "ZIG=python-zig", "run")
    assert "golden ok" in said(folder, *made)
    assert "EV_ERROR_WEIGHTS" in (folder / "edgevit_model.c").read_text()
    reader = folder / "selftest" / "read_weights.c"
    text = reader.read_text()
    reader.write_text(text.replace("return 0;", "return bytes > 256;"))  # the sums are read by 256
    assert "golden bad" in said(folder, *made, fails=True)
    reader.write_text(text)
    weights = folder / "edgevit_model_weights.bin"
    weights.write_bytes(weights.read_bytes()[:-17] + bytes([1]) * 17)
    assert "golden bad" in said(folder, *made, fails=True)
    if tool == "gcc":
        said(folder, "cmake", "-B", "c", "--toolchain", "cmake/gcc.cmake")
        said(folder, "cmake", "--build", "c")
        assert "golden bad" in said(folder, "ctest", "--test-dir", "c", "--verbose", fails=True)


@pytest.mark.parametrize(
    ("wish", "told"),
    [("elf", "cannot be written"), ("binary", "where does"), ("c@16", "address"), ("binary@7", "16")],
)  # fmt: skip
def test_forms_of_weights_that_are_not(wish: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        weights_form(wish, load_target("nrf52840"))


@pytest.mark.parametrize("core", sorted({core_of(load_target(board)).name for board in BOARDS}))
def test_every_board_builds(core: str, tmp_path: Path) -> None:
    """And where an emulator has it, the self-test passes. Boards of a core share what is compiled, but for their ports."""
    before: Path | None = None
    for target in map(load_target, BOARDS):
        if core_of(target).name != core:
            continue
        folder = bundle(tmp_path / target.name, target.name, WeightsForm("c"))
        if before is not None:
            _keep_compiled(before, folder)
        run = ["run"] if target.emulator else []
        printed = said(folder, "make", "-s", "ZIG=python-zig", "BUILD=build", *run)
        assert printed.endswith("golden ok\nend\n") or not run
        assert (folder / "build" / "selftest.elf").is_file()
        script = (folder / "port" / "board.ld").read_text()
        for region in target.regions:
            place = f"{region.name} : ORIGIN = {region.base:#010x}, LENGTH = {region.size:#x}"
            assert place in script
        before = folder


def _keep_compiled(before: Path, folder: Path) -> None:
    """Of what is the same in both."""
    for kept in sorted((before / "build").rglob("*.o")):
        file = kept.relative_to(before / "build")
        source = Path(*(part for part in file.parts if part != "layers")).with_suffix("")
        if "port" in file.parts:
            continue
        if (folder / source).read_bytes() == (before / source).read_bytes():
            (folder / "build" / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(kept, folder / "build" / file)


def test_text_comes_over_the_uart(tmp_path: Path) -> None:
    """Through a pty, as from a board: again and again, until nobody listens."""
    folder = bundle(tmp_path / "b", "qemu-m4", WeightsForm("c"))
    said(folder, "make", "-s", "OUTPUT=uart")
    program = str(folder / "build" / "gcc-uart" / "selftest.elf")
    words = ["qemu-system-arm", "-M", "mps2-an386", "-display", "none", "-monitor", "none", "-serial", "pty", "-kernel", program]  # fmt: skip
    machine = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert machine.stdout is not None
        found = re.search(r"/dev/\S+", machine.stdout.readline())
        assert found
        text = _listened(found[0])
    finally:
        machine.kill()
        machine.wait()
    assert re.search(r"edgevit selftest 1 \w{64}\n(layer \S+ \d+\n)+total \d+ 25000000\ngolden ok\nend\n", text)  # fmt: skip


def _listened(device: str, seconds: float = 30) -> str:
    """Until two reports have ended: of the first the beginning may be lost."""
    handle, text = os.open(device, os.O_RDONLY | os.O_NOCTTY), ""
    try:
        end = time.monotonic() + seconds
        while text.count("end\n") < 2 and time.monotonic() < end:
            if select.select([handle], [], [], 1)[0]:
                text += os.read(handle, 4096).decode().replace("\r", "")
    finally:
        os.close(handle)
    return text


def test_regions_are_respected() -> None:
    """The fastest that has room, never two of them, never RAM that some program must set up."""
    board = load_target("stm32f746")

    def places(arena: int, weights: int = 1000) -> tuple[str, ...]:
        where = layout(board, arena, weights)
        return where.code.name, where.weights.name, where.arena.name, where.data.name

    assert places(17_000) == ("FLASH", "FLASH", "DTCM", "DTCM")
    assert places(60_000) == ("FLASH", "FLASH", "DTCM", "SRAM1")
    assert places(100_000) == ("FLASH", "FLASH", "SRAM1", "SRAM1")
    assert places(240_000) == ("FLASH", "FLASH", "SRAM1", "DTCM")
    assert places(17_000, 5_000_000) == ("FLASH", "QSPI", "DTCM", "DTCM")
    with pytest.raises(MemoryLimitError, match="largest region has 245,760"):
        places(250_000)
    across = layout(board, 311_296, 1000, seam=next(seams(board)))
    assert (across.arena.name, across.arena.base, across.arena.size) == (
        "DTCM_SRAM1",
        0x2000_0000,
        304 * 1024,
    )
    assert across.data.name == "SRAM2"
    behind = layout(board, 286_944, 1000, static_bytes(1000, 1155), 64 * 1024)
    assert (behind.arena.size, behind.data.name, behind.data.base) == (
        286_944,
        "SRAM1_REST",
        0x2000_0000 + 286_944,
    )
    with pytest.raises(MemoryLimitError, match="no two adjacent regions"):
        layout(board, 311_312, 1000, seam=64 * 1024)
    with pytest.raises(MemoryLimitError, match="variables and the stack"):
        layout(load_target("nrf52840"), 262_144, 1000)


def test_an_arena_lies_in_two_regions_where_neither_holds_it(tmp_path: Path) -> None:
    need("qemu-system-arm", "qemu-system-arm")
    graph, inputs = random_net(SMALL)
    folder = tmp_path / "net"
    board = load_target("qemu-m7")
    core, form = core_of(board), WeightsForm("c")
    most = best_plan(graph, core).size * 3 // 4 // 16 * 16
    base = 0x2000_0000
    regions = (
        next(region for region in board.regions if region.kind == "rom"),
        MemoryRegion("FIRST", "dtcm", base, most),
        MemoryRegion("SECOND", "sram", base + most, most),
        MemoryRegion("REST", "sram", base + 0x10_0000, 64 * 1024),
    )
    small = replace(board, regions=regions[:3])
    target = replace(board, regions=regions)
    plan = with_seam(best_plan(graph, core), most)
    with pytest.raises(MemoryLimitError):
        layout(small, plan.size, 100, seam=most)
    emitted = write_firmware(plan, folder, core, form)
    write_board(folder, emitted, [inputs], target, core, form)
    assert said(folder, "make", "run").endswith("golden ok\nend\n")
    symbols = said(folder, "arm-none-eabi-nm", "build/gcc-semihosting/selftest.elf")
    assert re.search(rf"^{base:08x} \w \w*arena", symbols, re.MULTILINE), symbols


def two_regions(file: Path, size: int) -> str:
    """A board with two adjacent regions, and a third with room for the stack alone."""
    base = 0x2000_0000
    regions = (
        ("CODE", "rom", 0, 512_000),
        ("FIRST", "dtcm", base, size),
        ("SECOND", "sram", base + size, size),
        ("REST", "sram", base + 0x1_0000, 10_640),
    )
    tables = (
        f'[[region]]\nname = "{name}"\nkind = "{kind}"\nbase = {at}\nsize = "{count} B"\n'
        for name, kind, at, count in regions
    )
    head = (
        'name = "two"\ntitle = "Two regions"\nextends = "qemu-m7"\n[source]\nregion = "made up"\n'
    )
    file.write_text(head + "".join(tables))
    return str(file)


def test_an_export_across_two_regions_is_read_again(tmp_path: Path) -> None:
    """Its arena takes 10,768 bytes, its largest buffer 8,000."""
    board = two_regions(tmp_path / "two.toml", 8192)
    assert export("zoo:kws", target=board, output=tmp_path / "out").passed
    assert "FIRST_SECOND" in (tmp_path / "out" / "firmware" / "README.md").read_text()


@pytest.mark.long
def test_a_buffer_that_would_lie_across_is_refused(tmp_path: Path) -> None:
    board = two_regions(tmp_path / "two.toml", 7040)
    with pytest.raises(MemoryLimitError, match="more than the 7,040 there are") as refused:
        export("zoo:kws", target=board, output=tmp_path / "out")
    assert "across two a buffer would lie" in str(refused.value)


def test_the_memory_map_shows_the_plan(tmp_path: Path) -> None:
    graph, _ = random_net(3)
    plan = best_plan(graph, core_of(load_target("qemu-m4")))
    drawing = memory_map(plan)
    root = ET.fromstring(drawing.svg())
    titles = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}title")]
    wanted = [f"{b.name}: {b.size:,} bytes at {b.offset:,}" for b in plan.buffers]
    assert [title.split(", loops")[0] for title in titles] == wanted
    (tmp_path / "map.png").write_bytes(drawing.png())
    picture = np.asarray(Image.open(tmp_path / "map.png").convert("RGB"))
    assert picture.shape == (drawing.height * 2, drawing.width * 2, 3)
    box = drawing.boxes[next(i for i, box in enumerate(drawing.boxes) if box.title)]
    middle = picture[int(2 * box.top + box.height), int(2 * box.left + box.width)]
    assert tuple(middle) == box.fill


def test_manifests_pass_their_own_validators(exported: Path, tmp_path: Path) -> None:
    need("pio", "-; pip install platformio")
    folder = tmp_path / "packed"
    shutil.copytree(exported, folder, ignore=shutil.ignore_patterns("build"))
    manifest = folder / "library.json"
    # What a licence is called, PlatformIO asks of a list in the network.
    manifest.write_text(manifest.read_text().replace('  "license": "Apache-2.0",\n', ""))
    said(folder, "pio", "pkg", "pack", ".", "-o", str(tmp_path / "packed.tar.gz"))
    import kconfiglib

    kconfig = kconfiglib.Kconfig(str(exported / "zephyr" / "Kconfig"), warn_to_stderr=False)
    assert list(kconfig.syms)[-1] == "EV_MODEL" and not kconfig.warnings
    assert "kconfig: zephyr/Kconfig" in (exported / "zephyr" / "module.yml").read_text()
    properties = (exported / "library.properties").read_text()
    for key in ("name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"):  # fmt: skip
        assert re.search(rf"^{key}=.+", properties, re.MULTILINE)


ZEPHYR = """cmake_minimum_required(VERSION 3.16)
project(app C ASM)
set(CONFIG_EV_MODEL y)
# What Zephyr's own CMake functions of these names do, as far as the module asks for it.
macro(zephyr_library_named name)
  set(lib ${name})
  add_library(${name} STATIC)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/MODULE/port/include)
  target_compile_options(${name} PRIVATE -std=c99 -Wall -Wextra -Werror -ffreestanding)
endmacro()
macro(zephyr_library_sources)
  target_sources(${lib} PRIVATE ${ARGN})
endmacro()
macro(zephyr_library_compile_options)
  target_compile_options(${lib} PRIVATE ${ARGN})
endmacro()
macro(zephyr_include_directories)
  target_include_directories(${lib} PUBLIC ${ARGN})
endmacro()
add_subdirectory(MODULE/zephyr)
"""


def test_zephyr_and_arduino_find_every_file(exported: Path, tmp_path: Path) -> None:
    bundle(tmp_path / "MODULE", "qemu-m4", WeightsForm("c"))
    (tmp_path / "CMakeLists.txt").write_text(ZEPHYR)
    said(tmp_path, "cmake", "-B", "build", "--toolchain", "MODULE/cmake/gcc.cmake")
    said(tmp_path, "cmake", "--build", "build")
    flags = re.search(
        r"CMAKE_C_FLAGS_INIT \"(.+)\"", (exported / "cmake" / "gcc.cmake").read_text()
    )
    assert flags
    sources: Sequence[Path] = sorted((exported / "src").glob("*.[cS]"))
    assert {path.name for path in sources} > {"edgevit_model.c", "edgevit_model_weights.c"}
    words = ["arm-none-eabi-gcc", *flags[1].split(), "-ffreestanding", "-O0", "-fsyntax-only", "-Isrc", "-isystem", "port/include"]  # fmt: skip
    said(exported, *words, *(str(path) for path in sources))


SKETCH = """#include "edgevit_model.h"
#include "edgevit_model_weights.h"
static uint8_t arena[EV_MODEL_ARENA_BYTES] __attribute__((aligned(16)));
static uint8_t output[EV_MODEL_OUTPUT_0_BYTES];
static const uint8_t image[EV_MODEL_INPUT_0_BYTES] = {1};
extern "C" void ev_fault() { for (;;) { } }
extern "C" int main()
{
    const void *const inputs[] = {image};
    void *const outputs[] = {output};
    return ev_model_run(inputs, outputs, arena) == EV_OK ? 0 : 1;
}
"""


@pytest.mark.parametrize("form", ["c", "streamed"])
def test_a_sketch_in_cpp_links(form: str, tmp_path: Path) -> None:
    folder = bundle(tmp_path / "b", "qemu-m4", WeightsForm(form))
    said(folder, "make", "-s", "BUILD=build")
    reader = 'extern "C" int ev_model_read_weights(uint32_t, void *, uint32_t) { return 0; }\n'
    (folder / "sketch.cpp").write_text(SKETCH + (reader if form == "streamed" else ""))
    flags = re.search(r"CMAKE_C_FLAGS_INIT \"(.+)\"", (folder / "cmake" / "gcc.cmake").read_text())
    assert flags
    words = [*flags[1].split(), "-ffreestanding", "-fno-exceptions", "-fno-unwind-tables", "-nostdlib", "-Wall", "-Wextra", "-Werror", "-I.", "-Iinclude"]  # fmt: skip
    libraries = ["build/libev_model.a", "build/port/memory.c.o", "build/port/memory_aeabi.c.o", "-lgcc"]  # fmt: skip
    said(folder, "arm-none-eabi-g++", *words, "sketch.cpp", *libraries, "-Wl,-e,main", "-o", "sketch.elf")  # fmt: skip
