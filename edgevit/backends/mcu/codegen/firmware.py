"""C sources of an integer graph in a folder: the model, its weights, its kernels, their headers."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from edgevit.backends.mcu.board.weights import (
    C_ARRAY,
    NAME,
    READ_LINKED,
    WeightsForm,
    assembled,
    write_weights,
)
from edgevit.backends.mcu.codegen.emit import Emitted, emit
from edgevit.backends.mcu.codegen.test_main_template import Case, main_template
from edgevit.backends.mcu.cores import Core
from edgevit.backends.mcu.schedule.plan import Schedule
from edgevit.backends.mcu.toolchain import Toolchain, toolchain
from edgevit.integer import ExitCheck
from edgevit.support.resources import data_dir

MODEL = "ev_model"  # begins the names in C
FILES = "edgevit_model"
_INCLUDED = re.compile(r'^#include "(\w+\.h)"', re.MULTILINE)
STACK = 16 * 1024  # reserved in the emulator; what is used is measured


def emitted_for(plan: Schedule, form: str, exits: Sequence[ExitCheck] = ()) -> Emitted:
    paged = form == "streamed"
    return emit(plan, MODEL, FILES, apart=not paged, paged=paged, exits=exits)


def write_firmware(
    plan: Schedule,
    folder: Path,
    core: Core,
    weights: WeightsForm = C_ARRAY,
    exits: Sequence[ExitCheck] = (),
) -> Emitted:
    emitted = emitted_for(plan, weights.form, exits)
    kernels = data_dir("kernels")
    folder.mkdir(parents=True)
    (folder / f"{FILES}.h").write_text(emitted.header)
    (folder / f"{FILES}.c").write_text(emitted.source)
    write_weights(folder, emitted.weights, weights, core, toolchain())
    (folder / "kernels").mkdir()
    for source in emitted.kernels:
        shutil.copy(kernels / source, folder / "kernels")
    (folder / "include").mkdir()
    for name in _headers(folder, kernels / "include"):
        shutil.copy(kernels / "include" / name, folder / "include")
    return emitted


def _headers(folder: Path, include: Path) -> list[str]:
    """Return the headers that the sources include, directly or through other headers."""
    texts = [path.read_text() for path in (folder / f"{FILES}.h", folder / f"{FILES}.c", *(folder / "kernels").iterdir())]  # fmt: skip
    headers: list[str] = []
    for text in texts:  # grows as it goes
        for name in _INCLUDED.findall(text):
            if name not in headers and (include / name).is_file():
                headers.append(name)
                texts.append((include / name).read_text())
    return headers


def link_firmware(folder: Path, main: str, core: Core, tool: Toolchain, work: Path) -> Path:
    """Compile the folder's own sources with a `main`, and link them to an ELF in `work`."""
    (work / "main.c").write_text(main)
    include = [folder, folder / "include"]
    sources = [work / "main.c", folder / f"{FILES}.c", *sorted((folder / "kernels").iterdir())]
    objects = [tool.compile(source, core, include=include) for source in sources]
    objects += _weights(folder, core, tool, work)
    return tool.link(objects, core, work / "program.elf", stack_size=STACK)


def _weights(folder: Path, core: Core, tool: Toolchain, work: Path) -> list[Path]:
    """Return the objects of the weights, in any form; in the emulator they are always linked."""
    source, binary = (folder / f"{NAME}.{ending}" for ending in ("c", "bin"))
    if source.is_file():
        return [tool.compile(source, core, include=[folder])]
    if not binary.is_file():
        return [folder / f"{NAME}.o"]
    objects = [assembled(binary, core, tool, work)]
    if "EV_MODEL_WEIGHTS_STREAMED" in (folder / f"{NAME}.h").read_text():
        (work / "read_weights.c").write_text(READ_LINKED)
        objects.append(tool.compile(work / "read_weights.c", core, include=[folder]))
    return objects


def link_cases(
    cases: Sequence[Case], core: Core, tool: Toolchain, work: Path, debug: bool = False
) -> Path:
    """Link many networks to one program, their kernels from where edgevit keeps them.

    `debug` has every kernel check its preconditions.
    """
    kernels = data_dir("kernels")
    for case in cases:
        (work / f"{case.prefix}.h").write_text(case.emitted.header)
    (work / "main.c").write_text(
        "\n".join([*(case.emitted.source for case in cases), main_template(cases)])
    )
    used = dict.fromkeys(source for case in cases for source in case.emitted.kernels)
    include = [work, kernels / "include"]
    defines = {"EV_DEBUG": 1} if debug else {}
    sources = (work / "main.c", *(kernels / source for source in used))
    objects = [tool.compile(s, core, include=include, defines=defines) for s in sources]
    return tool.link(objects, core, work / "program.elf", stack_size=STACK)
