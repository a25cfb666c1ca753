"""Emulated cores: the same program on every core, by both compilers and in both emulators, counts the same."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from edgevit.backends.mcu.cores import CORES, Core
from edgevit.backends.mcu.emulator import EmulatedRun, emulator, emulators_of
from edgevit.backends.mcu.emulator.plugin import plugin
from edgevit.backends.mcu.emulator.run import READ, WRITTEN
from edgevit.backends.mcu.run.elf import read_elf
from edgevit.errors import BackendRuntimeError, MissingToolError, PackageError, UsageError
from tests.backends.mcu.building import build, by_function

TOOLS = ("zig", "gcc")
MIXED = ("sort", "clip", "walk", "fibonacci", "spread")
NUMBERS = [((i * 7919 + 13) % 2001) - 1000 for i in range(64)]
PAIRS = [(core, name) for core in CORES.values() for name in emulators_of(core)]


def each_core(*names: str) -> pytest.MarkDecorator:
    cores = [CORES[name] for name in names or CORES]
    return pytest.mark.parametrize("core", cores, ids=lambda core: core.name)


each_tool = pytest.mark.parametrize("tool", TOOLS)
each_pair = pytest.mark.parametrize(
    ("core", "name"), PAIRS, ids=[f"{core.name}-{name}" for core, name in PAIRS]
)


def assembly(core: Core) -> str:
    return "counted_arm.S" if core.is_arm else "counted_riscv.S"


def clipped(values: list[int], low: int, high: int) -> int:
    return sum(min(max(value, low), high) for value in values)


def walked(codes: bytes, state: int) -> int:
    for code in codes:
        state = [
            state + 3,
            state ^ 0x55,
            state << 5 | state >> 27,
            state - code,
            state * 5,
            ~state,
            state + (state >> 3),
            state | 1,
        ][code & 7] & 0xFFFF_FFFF
    return state


def spread(data: bytes) -> bytes:
    copies = bytearray(b"\xa5" * 192)
    copies[1 : 1 + len(data)] = data
    copies[4:104] = bytes(copies[1:101])
    copies[130:180] = bytes(copies[131:181])
    return bytes(copies)


def mixed_output() -> bytes:
    data = struct.pack("<64h", *NUMBERS)
    results = struct.pack(
        "<iIIii",
        clipped(NUMBERS, -100, 200),
        walked(data, 7),
        89,
        int(NUMBERS[0] / 2),
        clipped(sorted(NUMBERS)[:32], -5, 5),
    )
    return results + spread(data) + struct.pack("<64h", *sorted(NUMBERS))


def found(run: EmulatedRun) -> dict[str, object]:
    """All that a run tells but who told it."""
    return {name: value for name, value in vars(run).items() if name != "emulator"}


@each_core()
@each_tool
def test_emulators_agree_on_everything(core: Core, tool: str, tmp_path: Path) -> None:
    elf = build(tmp_path, tool, core, "mixed.c")
    numbers = struct.pack("<64h", *NUMBERS)
    runs = [
        emulator(name).run(
            elf, core, inputs={"numbers": numbers}, regions=MIXED, touch=True, profile=True
        )
        for name in emulators_of(core)
    ]
    for run in runs:
        assert run.output == mixed_output()
        assert (run.text, run.status) == ("sorted\n", 11)
        assert run.instructions == sum(run.by_region.values())
        assert run.profile is not None and sum(run.profile.values()) == run.instructions
        assert min(run.by_region.values()) > 0 and run.by_region["sort"] > 64 * 63
        assert 11 * 8 <= run.stack_bytes < 1024  # eleven calls deep
        assert found(run) == found(runs[0])
    assert len(runs) == (1 if core.name in ("m0plus", "m55") else 2)


@each_pair
def test_every_instruction_is_counted_once(core: Core, name: str, tmp_path: Path) -> None:
    elf = build(tmp_path, "zig", core, "counted.c", assembly(core))
    regions = ["loop", "into_next", "next", "dig", "choose"]
    run = emulator(name).run(elf, core, regions=regions, profile=True)
    ran = by_function(elf, run.profile)
    assert {region: ran[region] for region in regions} == {
        "loop": (1 + 2 + 1) + (1 + 2000 + 1),
        "into_next": 2,
        "next": 3 + 3,
        "dig": 4,
        "choose": 5 + 5,
    }
    assert run.by_region["into_next"] == 2, "it ends where the code runs on into `next`"
    # What `main` does between two calls belongs to the region before it.
    assert sum(run.by_region.values()) == run.instructions == ran.total()
    assert 0 <= run.by_region["loop"] - ran["loop"] < 8
    assert run.status == 11
    assert 200 <= run.stack_bytes <= 232, "what `dig` takes, and the frame of `main`"


@each_pair
def test_regions_do_not_change_what_is_counted(core: Core, name: str, tmp_path: Path) -> None:
    elf = build(tmp_path, "zig", core, "counted.c", assembly(core))
    machine = emulator(name)
    without, inside = machine.run(elf, core), machine.run(elf, core, regions=["next"])
    assert without.by_region == {"main": without.instructions}
    assert inside.instructions == without.instructions


@each_pair
def test_bytes_touched(core: Core, name: str, tmp_path: Path) -> None:
    elf = build(tmp_path, "zig", core, "touched.c")
    run = emulator(name).run(elf, core, inputs={"input": bytes(range(64))}, touch=True)
    symbols, touched = read_elf(elf).symbols, run.touched
    assert touched is not None
    given, made, never = (symbols[name] for name in ("input", "output", "never"))
    read = [touched.marks[given.address - touched.base + i] for i in range(64)]
    assert read == [int(i in (0, 1, 2, 3, 5, 6, 7, 8)) * READ for i in range(64)]
    written = [touched.marks[made.address - touched.base + i] for i in range(64)]
    assert written == [int(i in range(3, 23, 2)) * WRITTEN for i in range(64)]
    assert touched.count(WRITTEN, made.address, 64) == 10
    assert touched.count(READ | WRITTEN, never.address, 64) == 0
    assert run.stack_bytes < 48, "`ev_emit` has a stack of its own"
    assert run.output == struct.pack("<I", 0x03020100 + 0x08070605)
    functions = {read_elf(elf).function_at(address) for address in touched.unaligned}
    assert functions == (set() if core.aligned else {"word_at"})


@each_core("m0plus", "rv32")
def test_a_core_that_cannot_read_unaligned_words_is_caught_doing_it(
    core: Core, tmp_path: Path
) -> None:
    elf = build(tmp_path, "zig", core, "touched.c", defines={"MISREAD": 1})
    run = emulator("unicorn").run(elf, core, touch=True)
    assert run.touched is not None
    functions = {read_elf(elf).function_at(address) for address in run.touched.unaligned}
    assert functions == {"misread"}


@each_pair
@pytest.mark.parametrize(
    ("way", "why", "function"),
    [
        ("wrong_address()", "no memory at|Invalid memory write", "wrong_address"),
        (
            "undefined()",
            "undefined instruction|illegal instruction|Invalid instruction",
            "undefined",
        ),
        ("return deeper(&first, 200)", "its stack ran out", ""),
    ],
)
def test_a_fault_is_told_with_its_place(
    core: Core, name: str, way: str, why: str, function: str, tmp_path: Path
) -> None:
    elf = build(tmp_path, "zig", core, "dies.c", defines={"WAY": way})
    with pytest.raises(BackendRuntimeError, match=why) as caught:
        emulator(name).run(elf, core)
    assert core.title in caught.value.message
    assert function in caught.value.where


@each_pair
def test_a_program_reaches_no_file_and_no_command(core: Core, name: str, tmp_path: Path) -> None:
    """Firmware may be anybody's: it reports to us, and that is all it can."""
    (tmp_path / "secret").write_text("secret")
    elf = build(tmp_path, "zig", core, "hostile.c", defines={"FOLDER": str(tmp_path)})
    run = emulator(name).run(elf, core)
    assert (run.status, run.text) == (7, "alive")
    assert b"secret" not in run.output
    assert (tmp_path / "secret").read_text() == "secret"
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("core", "name"),
    [(CORES["m4"], "unicorn"), (CORES["m4"], "qemu"), (CORES["rv32"], "qemu")],
    ids=["m4-unicorn", "m4-qemu", "rv32-qemu"],
)
def test_a_program_without_an_end_is_stopped(core: Core, name: str, tmp_path: Path) -> None:
    elf = build(tmp_path, "zig", core, "dies.c", defines={"WAY": "forever()"})
    with pytest.raises(BackendRuntimeError, match=r"still running after 1\.5 seconds") as caught:
        emulator(name).run(elf, core, seconds=1.5)
    assert "in forever" in caught.value.where


@pytest.mark.parametrize(
    ("tool", "name"),
    [("zig", "m0plus"), ("zig", "m4"), ("gcc", "m4"), ("zig", "m55"), ("zig", "rv32")],
)
def test_strings(tool: str, name: str, tmp_path: Path) -> None:
    core = CORES[name]
    elf = build(tmp_path, tool, core, "strings.c")
    run = emulator(emulators_of(core)[0]).run(elf, core)
    assert run.output == bytes(4)


@pytest.mark.parametrize("name", ["m3", "m4", "m7", "m33", "m55"])
@each_tool
def test_four_bytes_are_copied_by_one_load(name: str, tool: str, tmp_path: Path) -> None:
    core = CORES[name]
    elf = build(tmp_path, tool, core, "touched.c")
    run = emulator(emulators_of(core)[0]).run(elf, core, profile=True)
    assert by_function(elf, run.profile)["word_at"] == 2 * 2, "ldr, bx"


@each_tool
def test_vectors_of_the_m55(tool: str, tmp_path: Path) -> None:
    core = CORES["m55"]
    elf = build(tmp_path, tool, core, "vectors.c")
    left, right = [i - 50 for i in range(100)], [(i * 7) % 256 - 128 for i in range(100)]
    inputs = {"left": struct.pack("100b", *left), "right": struct.pack("100b", *right)}
    run = emulator("qemu").run(elf, core, inputs=inputs, profile=True)
    dot = sum(a * b for a, b in zip(left, right, strict=True))
    assert struct.unpack("<i", run.output) == (dot,)
    assert by_function(elf, run.profile)["dot"] < 100, "fewer instructions than products"


@pytest.mark.parametrize("name", ["unicorn", "qemu"])
def test_inputs_that_do_not_fit_are_refused(name: str, tmp_path: Path) -> None:
    core = CORES["m4"]
    elf = build(tmp_path, "zig", core, "touched.c")
    with pytest.raises(UsageError, match="65 bytes do not fit into `input`, which has 64"):
        emulator(name).run(elf, core, inputs={"input": bytes(65)})
    with pytest.raises(PackageError, match="no symbol is called `inputs`") as caught:
        emulator(name).run(elf, core, inputs={"inputs": b""})
    assert "`input`" in caught.value.hint
    with pytest.raises(UsageError, match="`never` is not a function"):
        emulator(name).run(elf, core, regions=["never"])


def test_a_core_that_the_emulator_lacks(tmp_path: Path) -> None:
    for name, core, other in (("unicorn", "m55", "qemu"), ("qemu", "m0plus", "unicorn")):
        elf = build(tmp_path, "zig", CORES[core], "touched.c")
        with pytest.raises(BackendRuntimeError) as caught:
            emulator(name).run(elf, CORES[core])
        assert other in caught.value.hint
    with pytest.raises(UsageError, match="no emulator is called `qeum`"):
        emulator("qeum")


def test_without_qemu_the_install_line_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elf = build(tmp_path, "zig", CORES["m4"], "touched.c")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError) as caught:
        emulator("qemu").run(elf, CORES["m4"])
    assert "apt-get install qemu-system-arm" in caught.value.hint


def test_a_qemu_with_another_plugin_interface_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elf = build(tmp_path, "zig", CORES["m4"], "touched.c")
    program = tmp_path / "qemu-system-arm"
    program.write_text("#!/bin/sh\necho QEMU emulator version 9.2.1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(MissingToolError, match=r"QEMU 9\.2\.1 cannot count"):
        emulator("qemu").run(elf, CORES["m4"])


def test_the_plugin_needs_a_compiler_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = plugin(tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("compiled again"))
    assert plugin(tmp_path) == first
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("edgevit.backends.mcu.emulator.plugin.find_spec", lambda _: None)
    with pytest.raises(MissingToolError, match="no C compiler") as caught:
        plugin(tmp_path / "other")
    assert "apt-get install gcc" in caught.value.hint
