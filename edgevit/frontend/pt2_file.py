"""`FILE.pt2`: a program that `torch.export.save` wrote. Nothing in it is executed without `--trust`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch.export import ExportedProgram

from edgevit.errors import EdgevitError, ModelError, suggest
from edgevit.frontend.live.program import program_source, require_own_weights_and_shape
from edgevit.frontend.pt2_archive import safe_copy, unreadable
from edgevit.frontend.pt2_trial import try_apart
from edgevit.frontend.request import Request, Scheme, file_safe
from edgevit.frontend.source import ModelSource
from edgevit.frontend.trial import first_line, run_once
from edgevit.support.silence import quiet


def takes(spec: str) -> bool:
    return spec.endswith(".pt2")


def build(request: Request) -> ModelSource:
    path = Path(request.spec)
    _check_request(request, path)
    if not request.trust:
        safe_copy(path)  # most that is hostile is refused for less than a process costs
        try_apart(path, request.seed)
    return build_untried(request)


def build_untried(request: Request) -> ModelSource:
    path = Path(request.spec)
    program = _trusted(path) if request.trust else _untrusted(path)
    try:
        source = program_source(program, None, request)
    except EdgevitError:
        raise
    except Exception as error:
        raise unreadable(path, first_line(error)) from error
    return replace(source, name=file_safe(path.stem), origin=str(path))


def _check_request(request: Request, path: Path) -> None:
    require_own_weights_and_shape(request)
    if not path.is_file():
        beside = map(str, path.parent.glob("*.pt2")) if path.parent.is_dir() else ()
        raise ModelError(
            f"no file `{path}`",
            where=str(Path.cwd()),
            why="it is a folder, a pipe or a device"
            if path.exists()
            else "there is none of that name",
            hint=suggest(str(path), beside) or "a file that torch.export.save wrote",
        )


def _untrusted(path: Path) -> ExportedProgram:
    from torch.export.pt2_archive._package import load_pt2

    try:
        copy = safe_copy(path)
        with quiet("torch"):
            return load_pt2(copy).exported_programs["model"]
    except ModelError:
        raise
    except Exception as error:  # JSON of another shape than torch.export writes, among others
        raise unreadable(path, first_line(error)) from error


def _trusted(path: Path) -> ExportedProgram:
    try:
        with quiet("torch"):
            return torch.export.load(str(path))
    except Exception as error:
        raise unreadable(path, first_line(error)) from error


def run_program(path: str, seed: int) -> None:
    """Run the program in the process with limits.

    Torch's own out-of-memory error is handled like any other.
    """

    torch.manual_seed(seed)
    source = build_untried(Request(path, "as built", seed=seed))
    run_once(source.module, source.inputs, "torch.export the model again, on inputs that it takes")


SCHEME = Scheme("FILE.pt2", takes, build, "as built")
