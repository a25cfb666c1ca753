"""Trial run: one eager forward first, which finds a wrong input size here and not in a backend."""

from __future__ import annotations

import sysconfig
import traceback
from dataclasses import is_dataclass
from pathlib import Path

import torch
from torch.utils._pytree import register_dataclass, tree_leaves

from edgevit.errors import ModelError, WeightsError
from edgevit.frontend.kernels import (
    is_of_triton,
    missing_kernel,
    module_of,
    replacement_hint,
)
from edgevit.frontend.wrappers import unwrapped

_TORCH = Path(torch.__file__).parent
_STANDARD = Path(sysconfig.get_path("stdlib"))


def first_line(error: BaseException) -> str:
    """Format an error as `ValueError: the first line of its message`, with what a colon leads to."""
    lines = str(error).strip().splitlines()
    if not lines:
        return type(error).__name__
    cause = f" {lines[1].strip()}" if lines[0].endswith(":") and len(lines) > 1 else ""
    return f"{type(error).__name__}: {lines[0]}{cause}"


def place_of(error: BaseException, module: torch.nn.Module | None = None) -> str:
    """Return the deepest line outside torch, Python and edgevit that led to `error`: `blocks.3.attn
    net.py:88`.
    """
    own = Path(__file__).parent.parent
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(_TORCH) or path.is_relative_to(own) or not path.exists():
            continue
        if path.is_relative_to(_STANDARD) and "site-packages" not in path.parts:
            continue
        if is_of_triton(str(path)):
            continue
        owner = _name_within(module, frame.f_locals.get("self"))
        if module is not None and not owner:
            owner = module_of(error, module)
        return f"{owner}  {_short(path)}:{line}" if owner else f"{_short(path)}:{line}"
    return ""


def run_once(
    module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], hint: str
) -> tuple[torch.Tensor, ...]:
    """Return the model's output tensors on `inputs`, or raise a `ModelError` that points into the
    model.
    """
    shapes = ", ".join("x".join(map(str, x.shape)) for x in inputs)
    try:
        with torch.no_grad():
            output = module(*(x.clone() for x in inputs))  # it may write into them
    except (Exception, SystemExit) as error:
        kernel = missing_kernel(error)
        way = replacement_hint(module_of(error, module)) if kernel else hint
        raise ModelError(
            f"the model does not run on its example input ({shapes})",
            where=place_of(error, module) or type(module).__name__,
            why=kernel or first_line(error),
            hint=way or "torch.export the model again, on inputs that it takes",
        ) from error
    outputs = tensors_in(output)
    if not outputs:
        raise ModelError(
            "the model returns no tensor",
            why=f"forward gave a {type(output).__name__}",
            hint="return a tensor, or a tuple or dict of tensors",
        )
    return outputs


def check_finite_outputs(
    module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], outputs: tuple[torch.Tensor, ...]
) -> None:
    """Refuse NaN or Inf in an output, which makes every later comparison meaningless, and report
    where it began.
    """
    if all(bool(torch.isfinite(x).all()) for x in outputs if x.is_floating_point()):
        return
    raise WeightsError(
        "the model's output on the example input is not finite",
        where=_first_not_finite(module, inputs),
        why="NaN or Inf appears in float32, before anything is converted",
        hint="check the weights, or normalise the input (--mean, --std)",
    )


def tensors_in(output: object) -> tuple[torch.Tensor, ...]:
    """Return the tensors of a structure. Dataclasses in it are structures from then on, to torch.export too."""
    leaves = tree_leaves(output)
    kinds = {type(x) for x in leaves if is_dataclass(x) and not isinstance(x, type)}
    if kinds:
        for kind in kinds:
            register_dataclass(kind)
        return tensors_in(output)
    return tuple(x for x in leaves if isinstance(x, torch.Tensor))


def _first_not_finite(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> str:
    modules: list[str] = []

    def watch(name: str):
        def hook(_module: torch.nn.Module, _args: object, output: object) -> None:
            if not all(torch.isfinite(x).all() for x in tensors_in(output)):
                modules.append(name)

        return hook

    handles = [m.register_forward_hook(watch(n)) for n, m in module.named_modules() if n]
    try:
        with torch.no_grad():
            module(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    return modules[0] if modules else ""


def _name_within(module: torch.nn.Module | None, owner: object) -> str:
    if module is None or not isinstance(owner, torch.nn.Module):
        return ""
    modules = unwrapped(module).named_modules()
    return next((name for name, child in modules if child is owner), "")


def _short(path: Path) -> str:
    """Shorten a path relative to the working directory or to site-packages, whichever holds the
    file.
    """
    for root in (Path.cwd(), *(p for p in path.parents if p.name == "site-packages")):
        if path.is_relative_to(root) and "site-packages" not in path.relative_to(root).parts:
            return str(path.relative_to(root))
    return str(path)
