"""Lowering of a program to a shared library.

A JSON file beside it describes the inputs and outputs, and a script runs it on the board.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from edgevit.backends.artifact import Artifact
from edgevit.backends.delegation import Delegation, Outside, grouped
from edgevit.backends.exported import exported_program
from edgevit.backends.session import TensorSpec
from edgevit.backends.tvm.converters import importer
from edgevit.backends.tvm.decompositions import decompositions
from edgevit.backends.tvm.info import INFO
from edgevit.backends.tvm.link import link
from edgevit.backends.tvm.machine import Machine, machine_of, this_machine
from edgevit.backends.tvm.supported import (
    blame,
    refuse_places,
    require_inputs,
    require_ops,
)
from edgevit.backends.tvm.tool import tvm, versions
from edgevit.backends.unsupported import refuse_precision
from edgevit.graph.cheaper_passes import cheaper_passes
from edgevit.graph.program import Program, value
from edgevit.support.silence import quiet
from edgevit.targets import Target

BESIDE = ".json"  # appended to the library's name


def lower(
    program: Program,
    target: Target,
    precision: str,
    directory: Path,
    progress: Callable[[str], None] = lambda _: None,
) -> Artifact:
    """Compile the program to a shared library.

    For another machine a second library is compiled for this one, only for the check.
    """
    refuse_precision("TVM", precision, INFO.precisions)
    require_inputs(program)
    refuse_places(program)
    tools = versions()
    machine = machine_of(target)
    progress("import")
    with quiet("tvm"):
        module = _imported(program)
        progress("compile")
        executable = _compiled(module, machine, program)
        path = directory / f"{program.name}.so"
        link(executable, machine, path)
        _describe(program, path)
        reference, notes = None, ()
        if not machine.is_host:
            progress("compile for this machine")
            host = this_machine(machine)
            reference = directory / "host" / path.name
            reference.parent.mkdir()
            link(_compiled(module, host, program), host, reference)
            _describe(program, reference)
            notes = (
                f"the library is for {machine.architecture} and was not run here: the same program was compiled "
                f"for {host.architecture} and checked",
            )
    _write_runner(directory, path.name)
    details: dict[str, object] = {
        "machine": asdict(machine) | {"triple": machine.triple},
        "inputs": list(program.input_names),
        "outputs": list(program.output_names),
    }
    return Artifact(
        "tvm",
        precision,
        path,
        tools,
        notes,
        reference,
        delegation=_delegation(executable),
        details=details,
    )


def _imported(program: Program) -> Any:
    with blame(program), cheaper_passes():
        decomposed = exported_program(program).run_decompositions(decompositions())
        require_ops(decomposed, program)
        return importer().from_exported_program(
            decomposed,
            keep_params_as_input=False,
            unwrap_unit_return_tuple=False,
            no_bind_return_tuple=False,
            custom_convert_map=None,
        )


def _compiled(module: Any, machine: Machine, program: Program) -> Any:
    with blame(program):
        return tvm().compile(module, target=machine.llvm())


def _describe(program: Program, library: Path) -> None:
    """Write the inputs and outputs to a JSON file, as the library does not contain them."""
    facts = {
        "inputs": [_spec(n, t) for n, t in zip(program.input_names, program.inputs, strict=True)],
        "outputs": [
            _spec(name, value(node))
            for name, node in zip(program.output_names, program.outputs(), strict=True)
        ],
    }
    library.with_name(library.name + BESIDE).write_text(json.dumps(facts, indent=2) + "\n")


def _spec(name: str, tensor: torch.Tensor) -> dict[str, object]:
    dtype = str(tensor.dtype).removeprefix("torch.")
    return asdict(TensorSpec(name, tuple(tensor.shape), dtype))


def _delegation(executable: Any) -> Delegation:
    """Return the delegation of an executable.

    Everything is compiled, except for calls by name to another library.
    """
    match = re.search(r"Globals \(#\d+\): \[(.*?)\]", executable.stats(), re.DOTALL)
    names = [name.strip() for name in match[1].split(",")] if match else []
    outside = [name for name in names if "." in name and not name.startswith("vm.")]
    inside = sum(name != "main" and "." not in name for name in names)
    return Delegation("LLVM", 1, inside, grouped(Outside(name, "", 1, 0) for name in outside))


def _write_runner(directory: Path, library: str) -> None:
    source = Path(__file__).with_name("runner.py.txt").read_text()
    (directory / "run.py").write_text(source.replace("LIBRARY", library))
