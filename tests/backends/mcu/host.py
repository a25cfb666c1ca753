"""Emitted C on the host, with the sanitizers on: what touches a byte that is not its own ends the program."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from edgevit.backends.mcu.codegen.emit import emit
from edgevit.backends.mcu.codegen.test_main_template import PAINT, Case, main_template, read_outputs
from edgevit.backends.mcu.cores import CORES
from edgevit.backends.mcu.schedule.simple import simple_plan
from edgevit.integer.graph import IntegerGraph
from edgevit.integer.simulate import outputs_of
from edgevit.support.resources import data_dir

_GUARD = 16
FLAGS = [
    "-std=c99",
    "-O1",
    "-g",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-DEV_DEBUG",
]
_EMIT = """
#include <stdint.h>
#include <stdio.h>
void ev_emit(const void *data, uint32_t size) { fwrite(data, 1, size, stdout); }
"""
Single = tuple[IntegerGraph, tuple[np.ndarray, ...]]


@cache
def library(folder: Path) -> Path:
    """All portable kernels, compiled once."""
    kernels = data_dir("kernels")
    sources = [
        path
        for path in sorted(kernels.glob("*/ev_*.c"))
        if not path.stem.endswith(("_dsp", "_mve")) and path.parent.name != "run"
    ]
    subprocess.run(
        ["gcc", *FLAGS, f"-I{kernels / 'include'}", "-c", *map(str, sources)],
        cwd=folder,
        check=True,
    )
    library = folder / "libkernels.a"
    objects = [f"{source.stem}.o" for source in sources]
    subprocess.run(["ar", "rcs", library.name, *objects], cwd=folder, check=True)
    return library


def check_on_host(singles: Sequence[Single], folder: Path) -> None:
    """Bit for bit what the graphs compute in Python, and no byte changed between the buffers."""
    archive = library(folder)
    cases = [
        Case(f"net{i}", graph, emit(simple_plan(graph, CORES["m3"], _GUARD), f"net{i}"), inputs)
        for i, (graph, inputs) in enumerate(singles)
    ]
    work = folder / "program"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    (work / "emit.c").write_text(_EMIT)
    (work / "main.c").write_text(main_template(cases, emit_arena=True))
    for case in cases:
        (work / f"{case.prefix}.h").write_text(case.emitted.header)
        (work / f"{case.prefix}.c").write_text(case.emitted.source)
    kernels = data_dir("kernels")
    includes = [f"-I{kernels / 'include'}", f"-I{kernels / 'run'}"]
    sources = sorted(path.name for path in work.glob("*.c"))
    subprocess.run(
        ["gcc", *FLAGS, *includes, *sources, str(archive), "-o", "program"], cwd=work, check=True
    )
    done = subprocess.run([work / "program"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    for case, (outputs, arena) in zip(cases, read_outputs(cases, done.stdout, True), strict=True):
        for found, wanted in zip(outputs, outputs_of(case.graph, case.inputs), strict=True):
            assert np.array_equal(found, wanted), case.emitted.source[-1500:]
        _check_guards(case, arena)


def _check_guards(case: Case, arena: bytes) -> None:
    plan = case.emitted.plan
    free = np.ones(plan.size, bool)
    for buffer in plan.buffers:
        free[buffer.offset : buffer.offset + buffer.size] = False
    touched = np.flatnonzero((np.frombuffer(arena, np.uint8) != PAINT) & free)
    assert not len(touched), f"byte {touched[0]} of the arena is nobody's, and changed"
