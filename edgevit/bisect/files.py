"""The minimal net of a departure: a Python file, its tensors, the artifact, and the text of an issue."""

from __future__ import annotations

import platform
import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from edgevit import __version__
from edgevit.bisect.result import (
    Bisection,
    apart_text,
    call_text,
    largest_difference,
    named_call,
)
from edgevit.bisect.search import Culprit, Writer
from edgevit.errors import OutputError
from edgevit.graph.program import Program, copy_graph, origin, value
from edgevit.graph.text import graph_text, type_text
from edgevit.support.backend_info import info_of

NET, TENSORS, ISSUE = "net.py", "net.safetensors", "issue.md"
_RELEASED = re.compile(r";\s+(?:\w+ = )+None\b.*")  # what fx writes to free memory
_NET = '''"""A minimal net at which {title} departs from PyTorch, cut out of {model} by `edgevit bisect`.

    {command}

Its inputs are what PyTorch computes before it in the whole net. The artifact written from it is beside this file.
"""

from math import inf, nan  # noqa: F401
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import device  # noqa: F401

TENSORS = load_file(Path(__file__).with_name("{tensors}"))
INPUTS = tuple(TENSORS[f"input.{{k}}"] for k in range({count}))


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        for k in range({constants}):
            self.register_buffer(f"constant_{{k}}", TENSORS[f"constant.{{k}}"])

{forward}


def build():
    return Net().eval(), INPUTS


if __name__ == "__main__":
    import sys

    import edgevit

    result = edgevit.export(*build(), target="{target}", format="{format}", precision="{precision}", output="{name}")
    print(result)
    sys.exit(0 if result.passed else 9)
'''


def write_files(
    result: Bisection, manifest: Mapping[str, Any], writer: Writer, folder: Path
) -> Bisection:
    """Write the minimal net into a folder. Files of other names are left as they are."""
    assert result.departure is not None and result.departure.culprit is not None
    culprit = result.departure.culprit
    try:
        folder.mkdir(parents=True, exist_ok=True)
        program = _numbered(culprit.program)
        _save_tensors(program, culprit, folder / TENSORS)
        net = _net(program, manifest, writer.precision)
        (folder / NET).write_text(net, encoding="utf-8")
        text = issue_text(culprit, manifest, writer.precision)
        (folder / ISSUE).write_text(text, encoding="utf-8")
        _write_artifact(writer, replace(culprit.program, name="net"), folder)
    except OSError as error:
        raise OutputError(
            f"cannot write {folder}",
            where=str(folder),
            why=error.strerror or str(error),
            hint="-o a folder that you may write to",
        ) from error
    return replace(result, files=folder)


def issue_text(culprit: Culprit, manifest: Mapping[str, Any], precision: str) -> str:
    """Return the text of an issue for the runtime's project."""
    node, program = named_call(culprit), culprit.program
    info = info_of(manifest["format"])
    calls = list(program.calls())
    versions = {**manifest["versions"], "platform": platform.platform()}
    ports = [
        f"- input `{name}`: {type_text(x)}" for name, x in zip(program.input_names, program.inputs, strict=True)
    ]  # fmt: skip
    ports += [f"- output `{n}`: {type_text(value(o))}" for n, o in zip(program.output_names, program.outputs(), strict=True)]  # fmt: skip
    together = f" in a run of {len(calls)} calls" if len(calls) > 1 else ""
    hidden = [
        "The departure is gone where the values between these calls are outputs: the runtime computes them as one.",
        "",
    ]
    lines = [
        f"# {info.title}: `{node.target}` computes something else than PyTorch{together}",
        "",
        f"{call_text(node)}, in {precision}, on the inputs in `{TENSORS}`: {apart_text(culprit.apart)}.",
        "",
        f"The largest difference is {largest_difference(culprit)}.",
        "",
        *(hidden if culprit.hidden else []),
        "## Net",
        "",
        *ports,
        "",
        "```",
        graph_text(program),
        "```",
        "",
        "## To reproduce",
        "",
        f"`python {NET}` writes the artifact from PyTorch with edgevit {__version__}, runs it and compares.",
        f"The artifact is beside it; its inputs are `input.0`, ... and PyTorch's outputs `expected.0`, ... of `{TENSORS}`.",
        "",
        "## Versions",
        "",
        *(f"- {name} {version}" for name, version in versions.items()),
        "",
        f"Found in {manifest['model']['name']}, at {origin(node)}.",
    ]
    return "\n".join(lines) + "\n"


def _numbered(program: Program) -> Program:
    """Name the constants by number: a name in a model need not be one in Python."""
    graph = copy_graph(program.graph)
    names = {name: f"constant_{k}" for k, name in enumerate(program.constants)}
    for node in graph.nodes:
        if node.op == "get_attr":
            node.target = names[str(node.target)]
    constants = {names[name]: tensor for name, tensor in program.constants.items()}
    return replace(program, graph=graph, constants=constants)


def _save_tensors(program: Program, culprit: Culprit, path: Path) -> None:
    tensors = {f"input.{k}": x for k, x in enumerate(program.inputs)}
    tensors |= {f"constant.{k}": x for k, x in enumerate(program.constants.values())}
    tensors |= {f"expected.{k}": y for k, y in enumerate(program.run(program.inputs))}
    tensors |= {f"actual.{k}": y for k, y in enumerate(culprit.actual)}
    save_file({name: t.detach().clone().contiguous() for name, t in tensors.items()}, path)


def _net(program: Program, manifest: Mapping[str, Any], precision: str) -> str:
    code = _RELEASED.sub("", program.graph.python_code("self").src.strip())
    return _NET.format(
        title=info_of(manifest["format"]).title,
        model=manifest["model"]["name"],
        command=f"edgevit export {NET}:build --target {shlex.quote(_target(manifest))} --format {manifest['format']} --precision {precision}",
        tensors=TENSORS,
        count=len(program.inputs),
        constants=len(program.constants),
        forward="\n".join(f"    {line}".rstrip() for line in code.splitlines()),
        target=_target(manifest),
        format=manifest["format"],
        precision=precision,
        name="exported",
    )


def _target(manifest: Mapping[str, Any]) -> str:
    return manifest.get("request", manifest)["target"]


def _write_artifact(writer: Writer, program: Program, folder: Path) -> None:
    """Write the artifact of the net into the folder, in place of an earlier one."""
    draft = folder / ".artifact"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        for path in writer.write(program, draft).path.parent.iterdir():
            final = folder / path.name
            if final.is_dir():
                shutil.rmtree(final)
            path.replace(final)
    finally:
        shutil.rmtree(draft)
