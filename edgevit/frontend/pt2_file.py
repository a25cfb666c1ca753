"""`FILE.pt2`: a program that `torch.export.save` wrote. Nothing in it is executed without `--trust`."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, TensorArgument

from edgevit.errors import ModelError, UsageError, suggest
from edgevit.frontend.images import random_images
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
    _check_eval_mode(program, path)
    inputs = _inputs(program, request, path)
    try:
        module = program.module()  # writes and compiles a forward
    except Exception as error:
        raise unreadable(path, first_line(error)) from error
    return ModelSource(
        spec=request.spec,
        name=file_safe(path.stem),
        module=module,
        inputs=inputs,
        input_names=_input_names(program),
        origin=str(path),
        weights="as built",
        exported=program,
    )


def _check_request(request: Request, path: Path) -> None:
    if request.weights not in (None, "as built"):
        raise UsageError("a .pt2 file carries its weights", hint="leave out --weights")
    if request.input_size is not None or request.batch != 1:
        raise UsageError(
            "a .pt2 file is exported for its input shape",
            hint="leave out --input-size and --batch, or start from the Python model",
        )
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


def _check_eval_mode(program: ExportedProgram, path: Path) -> None:
    """Refuse training mode: such a batch norm or dropout is baked into the graph and cannot be
    turned off.
    """
    for node in program.graph.nodes:
        if node.op != "call_function":
            continue
        arguments = _named_arguments(node)
        training = arguments.get("training", arguments.get("train", False))
        if training is True and arguments.get("p", 1.0) != 0.0:
            raise ModelError(
                f"`{path}` was exported in training mode",
                where=node.name,
                why=f"{node.target} has training=True",
                hint="model.eval() before torch.export.export",
            )


def _named_arguments(node: torch.fx.Node) -> dict[str, object]:
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return {}
    names = [a.name for a in schema.arguments]
    return {**dict(zip(names, node.args, strict=False)), **node.kwargs}


def _input_names(program: ExportedProgram) -> tuple[str, ...]:
    return tuple(
        spec.arg.name
        for spec in program.graph_signature.input_specs
        if spec.kind == InputKind.USER_INPUT
    )


def _inputs(program: ExportedProgram, request: Request, path: Path) -> tuple[torch.Tensor, ...]:
    """Return the example inputs in the archive, else random ones of the shapes the program
    states.
    """
    args, kwargs = program.example_inputs or ((), {})
    if kwargs or not all(isinstance(x, torch.Tensor) for x in args):
        raise ModelError(
            f"`{path}` takes more than tensors in order",
            why="its example inputs hold "
            + ", ".join([type(x).__name__ for x in args] + [f"{k}=" for k in kwargs]),
            hint="export a model whose forward takes tensors, by position",
        )
    if args:
        return tuple(args)
    values = {n.name: n.meta.get("val") for n in program.graph.find_nodes(op="placeholder")}
    shapes = []
    for index, spec in enumerate(program.graph_signature.input_specs):
        if spec.kind == InputKind.USER_INPUT and isinstance(spec.arg, TensorArgument):
            shapes.append((index, values[spec.arg.name]))
    return tuple(_random_like(value, request.seed + index) for index, value in shapes)


def _random_like(value: torch.Tensor, seed: int) -> torch.Tensor:
    shape = tuple(int(size) for size in value.shape)
    if not value.dtype.is_floating_point:
        return torch.zeros(shape, dtype=value.dtype)
    return random_images(shape, seed).to(value.dtype)


def run_program(path: str, seed: int) -> None:
    """Run the program in the process with limits.

    Torch's own out-of-memory error is handled like any other.
    """

    torch.manual_seed(seed)
    source = build_untried(Request(path, "as built", seed=seed))
    run_once(source.module, source.inputs, "torch.export the model again, on inputs that it takes")


SCHEME = Scheme("FILE.pt2", takes, build, "as built")
