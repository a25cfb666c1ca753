"""Names and titles of strangers in a bundle: nothing of them is run by make, CMake, a compiler or a linker."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from edgevit.backends.mcu.board.build_files import Build, write_build_files
from edgevit.backends.mcu.board.layout import layout
from edgevit.backends.mcu.board.linker import linker_script
from edgevit.backends.mcu.board.port import port_of
from edgevit.backends.mcu.board.readme import _layers
from edgevit.backends.mcu.board.weights import C_ARRAY
from edgevit.backends.mcu.codegen.emit import emit
from edgevit.backends.mcu.codegen.firmware import write_firmware
from edgevit.backends.mcu.cores import core_of
from edgevit.backends.mcu.schedule.search import best_plan
from edgevit.integer.graph import IntegerGraph, Value
from edgevit.integer.ops.products import Linear
from edgevit.targets import Target, load_target

NASTY = [
    "x\n$(shell touch CANARY)\n",
    "$(shell touch CANARY)`touch CANARY`;touch CANARY",
    '")\nexecute_process(COMMAND touch CANARY)\nset(x "',
    "*/ int evil(void); /* \\\n??/\n",
    "]]\n#[[\x1b[2J\u202e",
    "@RUN@@TITLE@",
]
TARGET = load_target("qemu-m4")


def hostile(text: str) -> Target:
    """As no file could say it."""
    assert TARGET.emulator is not None
    regions = tuple(replace(region, name=f"R{k}{text}") for k, region in enumerate(TARGET.regions))
    emulator = replace(TARGET.emulator, machine=text, cpu=text)
    return replace(TARGET, title=text, regions=regions, emulator=emulator)


def net(name: str) -> IntegerGraph:
    op = Linear(
        (Value(f"x{name}", (4, 8)),),
        Value(f"y{name}", (4, 3)),
        np.ones((3, 8), np.int8),
        np.zeros(3, np.int32),
        np.full(3, 1 << 20, np.int32),
    )
    return IntegerGraph(name, op.inputs, (), (op,), (op.output,)).verify()


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"apt-get install {name}")
    return path


@pytest.mark.parametrize("text", NASTY)
def test_build_files_run_nothing(text: str, tmp_path: Path) -> None:
    core, target = core_of(TARGET), hostile(text)
    plan = best_plan(net(text), core)
    bundle = tmp_path / "bundle"
    emitted = write_firmware(plan, bundle, core)
    sources = ("edgevit_model.c", *(f"kernels/{Path(s).name}" for s in emitted.kernels))
    build = Build(text, target, core, port_of(TARGET, core), sources, C_ARRAY)
    (bundle / "port").mkdir()
    where = layout(target, plan.size, 100)
    script = linker_script(target, where, "SECTIONS { .text : { *(.text) } > EV_CODE }\n")
    (bundle / "port" / "board.ld").write_text(script)
    write_build_files(build, bundle)
    for words in (
        ["make", "clean"],
        ["make", "-n", "all"],
        ["make", "-o", "build/gcc-semihosting/selftest.elf", "run", "BUILD=b"],
        ["cmake", "-S", ".", "-B", "cm"],
        ["gcc", "-fsyntax-only", "-Wall", "-Werror", "-I.", "-Iinclude", "-DEV_MODEL_TRACE", "edgevit_model.c"],
        ["ld", "-T", "port/board.ld", "-o", "x", "--verbose"],
    ):  # fmt: skip
        done = subprocess.run([tool(words[0]), *words[1:]], cwd=bundle, capture_output=True, text=True, check=False)  # fmt: skip
        if words[0] == "gcc" or words[-1] == "clean":
            assert done.returncode == 0, done.stderr
        if words[0] == "ld":
            assert "syntax error" not in done.stderr, done.stderr
        left = [str(p) for p in tmp_path.rglob("CANARY")]
        assert not left, words
    properties = (bundle / "library.properties").read_text().splitlines()
    assert all(re.match(r"[a-z]+=", line) for line in properties)


def test_the_code_is_the_same_whatever_things_are_called() -> None:
    core = core_of(TARGET)
    emitted = [emit(best_plan(net(text), core)) for text in ("plain", *NASTY)]
    codes = [re.sub(r"/\*.*?\*/|\"[^\"\n]*\"|//.*", "", e.source, flags=re.S) for e in emitted]
    assert all(a == b for a, b in pairwise(codes))
    assert all(e.header.count("\n") == emitted[0].header.count("\n") for e in emitted)


@pytest.mark.parametrize("text", [*NASTY, "a | b | <img src=x onerror=1>"])
def test_a_table_of_the_readme_keeps_its_columns(text: str) -> None:
    rows = _layers({"per_layer": [{"name": text, "kind": text, "macs": 1, "instructions": 2}]})
    head, _, row = rows.splitlines()
    assert len(re.findall(r"(?<!\\)\|", row)) == len(re.findall(r"\|", head))
    assert not re.search(r"(?<!\\)<", row)
