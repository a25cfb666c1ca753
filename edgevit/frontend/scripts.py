"""Parts of a model that are TorchScript, as modules that `torch.export` captures.

A module that calls a scripted or traced one has no Python to trace behind that call. torch's own converter makes a graph
of ATen calls from its script, on the inputs that it has in the model's trial run.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace
from importlib import import_module
from typing import Any

import torch
from torch import nn

from edgevit.errors import ModelError
from edgevit.frontend.source import ModelSource
from edgevit.frontend.trial import first_line, run_once, tensors_in

_RTOL, _ATOL = 1e-4, 1e-5  # a script's fuser may add in another order


def without_scripts(source: ModelSource) -> ModelSource:
    """Return the source with its scripted parts as graphs; itself where it has none."""
    scripts = _outermost(source.module)
    if not scripts:
        return source
    for name, listener in _listen(source, scripts).items():
        put(source.module, name, _graph_of(name, listener.script, listener.inputs))
    names = ", ".join(f"`{name}`" for name in scripts)
    note = f"{names}: a graph of its script, which computes the same on the example"
    return replace(source, notes=(*source.notes, note))


def refuse_script(where: str, why: str = "") -> ModelError:
    return ModelError(
        "the module is TorchScript",
        where=where,
        why=why or "torch.export captures Python, and its Python is no longer there",
        hint="give the module as it was before torch.jit.script or torch.jit.trace",
    )


def _outermost(module: nn.Module) -> dict[str, nn.Module]:
    scripts: dict[str, nn.Module] = {}
    for name, part in module.named_modules():
        inside = any(name.startswith(f"{other}.") for other in scripts)
        if name and not inside and isinstance(part, torch.jit.ScriptModule):
            scripts[name] = part
    return scripts


class _Listener(nn.Module):
    """Stand-in for a script, which takes no hooks: it keeps the inputs of its first call."""

    def __init__(self, script: nn.Module) -> None:
        super().__init__()
        self.script = script
        self.inputs: tuple[Any, ...] | None = None

    def forward(self, *inputs: Any) -> Any:
        self.inputs = inputs if self.inputs is None else self.inputs
        return self.script(*inputs)


def _listen(source: ModelSource, scripts: dict[str, nn.Module]) -> dict[str, _Listener]:
    """Return what was called in the trial run of the model; the scripts are back in their places then."""
    listeners = {name: _Listener(script) for name, script in scripts.items()}
    try:
        for name, listener in listeners.items():
            put(source.module, name, listener)
        run_once(source.module, source.inputs, "give the module as it was before torch.jit.script")
    finally:
        for name, script in scripts.items():
            put(source.module, name, script)
    return listeners


def put(module: nn.Module, name: str, part: nn.Module) -> None:
    parent, _, attribute = name.rpartition(".")
    module.get_submodule(parent)._modules[attribute] = part


def _graph_of(name: str, script: nn.Module, inputs: tuple[Any, ...] | None) -> nn.Module:
    if inputs is None:
        raise refuse_script(name, "the model calls another of its methods than `forward`, or none")
    logger = logging.getLogger("torch._export.non_strict_utils")
    before = logger.level
    try:
        logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            converter = import_module("torch._export.converter").TS2EPConverter(script, inputs)
            graph = converter.convert().module(check_guards=False)
            is_same = all(_agree(script, graph, values) for values in _variants(inputs))
    except Exception as error:
        raise refuse_script(name, f"torch finds no graph for it: {first_line(error)}") from error
    finally:
        logger.setLevel(before)
    if not is_same:
        raise refuse_script(name, "the graph that torch makes of it computes something else")
    return graph


def _agree(script: nn.Module, graph: nn.Module, inputs: tuple[Any, ...]) -> bool:
    expected, actual = tensors_in(script(*inputs)), tensors_in(graph(*inputs))
    return len(expected) == len(actual) and all(
        a.shape == b.shape and torch.allclose(a, b, _RTOL, _ATOL, equal_nan=True)
        for a, b in zip(expected, actual, strict=True)
    )


def _variants(inputs: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Return the inputs, and others that take the other branches of conditions on their values."""
    ways = (lambda x: x, torch.neg, lambda x: 5 * x + 1, torch.zeros_like)
    return [tuple(way(x) if _is_real(x) else x for x in inputs) for way in ways]


def _is_real(x: Any) -> bool:
    return isinstance(x, torch.Tensor) and x.is_floating_point()
