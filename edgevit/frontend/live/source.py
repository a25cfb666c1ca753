"""Source of a live model: what a caller passes instead of a spec, as a copy that is ours."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from edgevit.errors import EdgevitError, ModelError, UsageError
from edgevit.frontend.lines import short_path
from edgevit.frontend.live.copies import Copies
from edgevit.frontend.live.functions import function_model, original_of
from edgevit.frontend.live.inputs import with_article
from edgevit.frontend.live.program import own_program, program_source
from edgevit.frontend.module_source import module_and_example, module_source
from edgevit.frontend.request import Request, Scheme
from edgevit.frontend.source import ModelSource
from edgevit.frontend.trial import place_of
from edgevit.frontend.user_code import ends_the_command, said

LIVE = "live"  # scheme of the spec of a live model, which names it and does not lead to it


def live_spec(model: object) -> str:
    """Return the spec that names a live model in reports: `live:Net`."""
    while isinstance(model, functools.partial):
        model = model.func
    kind = model if isinstance(model, type) else type(model)
    name = getattr(model, "__name__", kind.__name__)
    if isinstance(model, nn.Module):
        inner = getattr(model, "_orig_mod", getattr(model, "module", model))
        name = type(inner if isinstance(inner, nn.Module) else model).__name__
    return f"{LIVE}:{'function' if name == '<lambda>' else name}"


def live_scheme(model: object, example: object) -> Scheme:
    """Return the scheme of a live model, which builds a source from a copy of it."""

    def build(request: Request) -> ModelSource:
        source = _source(model, example, request)
        return replace(source, live=True)

    return Scheme("a live model", lambda spec: spec.startswith(f"{LIVE}:"), build)


def _source(model: object, example: object, request: Request) -> ModelSource:
    if request.weights == "pretrained":
        raise UsageError(
            "pretrained weights are for timm: and hf: models",
            where="weights",
            why="a live model has the weights that it has",
            hint="leave `weights` out, or give a file",
        )
    if isinstance(model, ExportedProgram):
        program, notes = own_program(model)
        source = program_source(program, example, request)
        return replace(source, origin="torch.export.ExportedProgram", notes=notes)
    if isinstance(model, nn.Module):
        return _of_module(model, example, request)
    if isinstance(model, torch.jit.ScriptFunction):
        raise _no_model(model, "torch.export captures Python, and its Python is no longer there")
    if not callable(model):
        raise _no_model(model, "it cannot be called")
    return _of_callable(model, example, request)


def _of_module(module: nn.Module, example: object, request: Request) -> ModelSource:
    copies = Copies()
    duplicate = copies.of(module)
    source = module_source(duplicate, example, request, _origin_of(type(duplicate)))
    return replace(source, notes=(*copies.notes, *source.notes))


def _of_callable(model: Callable[..., object], example: object, request: Request) -> ModelSource:
    """Tell a callable that builds a model from one that is a model: the latter takes arguments."""
    model = original_of(model)
    if not isinstance(model, type) and not _takes_nothing(model):
        return _of_function(model, example, request)
    built = _called(model, request.spec)
    if callable(built) and not isinstance(built, nn.Module):
        return _of_function(built, example, request)
    module, own_example = module_and_example(built, request.spec)
    source = _of_module(module, own_example if example is None else example, request)
    return replace(source, origin=_origin_of(model))


def _of_function(model: Callable[..., object], example: object, request: Request) -> ModelSource:
    if example is None:
        raise ModelError(
            f"the function `{request.spec}` needs example inputs",
            where=_origin_of(model),
            why="a function does not state what it takes",
            hint="edgevit.export(function, (torch.zeros(1, 3, 224, 224),), target=...)",
        )
    copies = Copies()
    module = function_model(model, copies)
    source = module_source(module, example, request, _origin_of(model), function=_interface(model))
    name = request.spec.partition(":")[2]
    return replace(source, name=name, notes=(*copies.notes, *source.notes))


def _takes_nothing(model: Callable[..., object]) -> bool:
    try:
        inspect.signature(_interface(model)).bind()
    except (TypeError, ValueError):
        return False
    return True


def _interface(model: Callable[..., object]) -> Callable[..., object]:
    """Return a callable with the parameters of the model: those of a module are its forward's."""
    if isinstance(model, functools.partial):
        return functools.partial(_interface(model.func), *model.args, **model.keywords)
    return model.forward if isinstance(model, nn.Module) else model


def _called(model: Callable[[], object], spec: str) -> object:
    try:
        return model()
    except EdgevitError:
        raise
    except BaseException as error:
        if ends_the_command(error):
            raise
        raise ModelError(
            f"`{spec}` raised while it built the model",
            where=place_of(error) or spec,
            why=said(error),
            hint="a callable without arguments builds the model; a model function takes its inputs",
        ) from error


def _origin_of(code: Any) -> str:
    """Return where a class or function is written: `net.py:12`, or `Net in __main__`."""
    try:
        return f"{short_path(inspect.getfile(code))}:{inspect.getsourcelines(code)[1]}"
    except (OSError, TypeError, SyntaxError):  # the "file" of a notebook's cell may be no Python
        name = getattr(code, "__qualname__", type(code).__name__)
        return f"{name} in {getattr(code, '__module__', None) or 'Python'}"


def _no_model(model: object, why: str) -> ModelError:
    return ModelError(
        f"{with_article(type(model).__name__)} is no model",
        where=repr(model)[:80],
        why=why,
        hint="a spec such as `timm:vit_tiny_patch16_224`, an nn.Module, an ExportedProgram or a function",
    )
