"""Firmware that tests a net on a board's Ethos-U: golden integers, a comparison, and what builds it."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgevit.backends import C_TYPES, Facts, Snippet
from edgevit.backends.ethos_u import EthosSession, boards
from edgevit.errors import TargetError
from edgevit.exported import load_golden
from edgevit.snippets.templates import TEMPLATES
from edgevit.support.quoting import word
from edgevit.targets import Target, load_target

_ROW = 20  # numbers a line
_DIGITS = {"float32": ".9g", "float64": ".17g"}


def parameters(facts: Facts) -> str:
    kinds = [C_TYPES[port.dtype] for port in facts.inputs]
    return ", ".join(f"const {kind} *input_{k}" for k, kind in enumerate(kinds))


def place_of_npu(facts: Facts) -> dict[str, str]:
    """Return where the board has its NPU; nothing of a target that is no board."""
    target = _target(facts)
    board = boards().get(target.name) if target else None
    if board is None:
        said = "The address of the NPU's registers and the number of its interrupt are the board's: `-DEDGEVIT_NPU_BASE`, `-DEDGEVIT_NPU_IRQ`."
        return {"BOARD": said, "BASE": "", "IRQ": "", "CORE": "", "CORE_OR_M55": "cortex-m55"}
    assert target is not None
    said = f"{word(target.title)}: registers at {board.base:#010x}, interrupt {board.irq}; `-DEDGEVIT_NPU_BASE` and `-DEDGEVIT_NPU_IRQ` take others."
    return {
        "BOARD": said,
        "BASE": f"{board.base:#010x}",
        "IRQ": str(board.irq),
        "CORE": board.core,
        "CORE_OR_M55": board.core,
    }


def regions(facts: Facts) -> dict[str, str]:
    """Name the target's regions for values and for constants."""
    target = _target(facts)
    return {
        "SRAM": _named(target, ("sram",)),
        "CONSTANTS": _named(target, ("flash", "external-flash")),
    }


def _named(target: Target | None, kinds: tuple[str, ...]) -> str:
    there = [region for region in (target.regions if target else ()) if region.kind in kinds]
    names = [
        f"{word(region.name)} at {region.base:#010x}, {region.size:,} bytes" for region in there
    ]
    return f": {'; '.join(names)}" if names else ""


def _target(facts: Facts) -> Target | None:
    """Return the target that the export was made for; None where its file has gone."""
    try:
        return load_target(str(facts.manifest["target"]))
    except TargetError:
        return None


def _arrays(facts: Facts) -> dict[str, list[Any]]:
    inputs, _ = load_golden(facts.folder)
    taken, returned = EthosSession(facts.folder / facts.file).integers([x.numpy() for x in inputs])
    return {"input": taken, "output": returned}


def _golden(facts: Facts) -> dict[str, str]:
    named = (
        (f"edgevit_golden_{kind}_{k}", array)
        for kind, arrays in _arrays(facts).items()
        for k, array in enumerate(arrays)
    )
    return {"ARRAYS": "\n".join(_array(name, np.asarray(array)) for name, array in named)}


def _array(name: str, array: np.ndarray) -> str:
    form = _DIGITS.get(array.dtype.name, "d")
    numbers = [format(number, form) for number in array.reshape(-1).tolist()]
    rows = (", ".join(numbers[k : k + _ROW]) for k in range(0, len(numbers), _ROW))
    text = "\n".join(f"    {row}," for row in rows)
    return f"alignas(16) const {C_TYPES[array.dtype.name]} {name}[{array.size}] = {{\n{text}\n}};\n"


def _header(facts: Facts) -> dict[str, str]:
    ports = {"input": facts.inputs, "output": facts.outputs}
    rows = [
        f"extern const {C_TYPES[port.dtype]} edgevit_golden_{kind}_{k}[];  // golden.cpp"
        for kind, several in ports.items()
        for k, port in enumerate(several)
    ]
    return {"DECLARATIONS": "\n".join(rows), "PARAMETERS": parameters(facts)}


def _comparison(facts: Facts) -> dict[str, str]:
    rows = [
        f"    differences += differing(model->output({k})->data.data, edgevit_golden_output_{k}, model->output({k})->bytes);"
        for k, _ in enumerate(facts.outputs)
    ]
    arguments = ", ".join(f"edgevit_golden_input_{k}" for k, _ in enumerate(facts.inputs))
    return {"COMPARISONS": "\n".join(rows), "ARGUMENTS": arguments}


def _build(facts: Facts) -> dict[str, str]:
    return {
        **place_of_npu(facts),
        "NPU": word(facts.manifest["npu"]["name"]),
        "PLANNED": str(facts.manifest["predicted"]["ram_bytes"]),
    }


SELFTEST = tuple(
    Snippet(name, TEMPLATES / f"ethos_u_{template}.txt", marks, C_TYPES)
    for name, template, marks in (
        ("edgevit_net.h", "net.h", _header),
        ("golden.cpp", "golden.cpp", _golden),
        ("selftest.cpp", "selftest.cpp", _comparison),
        ("main.cpp", "main.cpp", _build),
        ("CMakeLists.txt", "cmake", _build),
    )
)
