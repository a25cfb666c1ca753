"""Buffers that a forward changes, as further inputs and outputs of the model.

self.cache = torch.cat([self.cache, x], 2)[:, :, -4:]      forward(x) -> y   becomes   forward(x, cache) -> y, cache_next
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import nn

from edgevit.errors import UsageError, suggest
from edgevit.frontend.source import KeptBuffers, ModelSource
from edgevit.frontend.wrappers import unwrapped

ALL = "all"  # of the buffers that a run changes


class WithBuffers(nn.Module):
    """Model that takes the buffers of `paths` behind its inputs, and returns their next values behind its outputs."""

    def __init__(self, model: nn.Module, buffers: KeptBuffers) -> None:
        super().__init__()
        self.model = model
        self._kept = buffers

    def forward(self, *inputs: torch.Tensor) -> tuple[object, ...] | dict[str, object]:
        paths, names = self._kept.paths, self._kept.names
        own, states = inputs[: -len(paths)], inputs[-len(paths) :]
        shapes = [tensor.shape for tensor in self._kept.initial]
        with _values(self.model, paths) as places:
            for place, state, shape in zip(places, states, shapes, strict=True):
                place.set(state.clone().reshape(shape))  # a forward may write into it
            outputs = self.model(*own)
            after = [
                place.get().reshape(state.shape)
                for place, state in zip(places, states, strict=True)
            ]
        if isinstance(outputs, Mapping):
            return {**outputs, **{f"{n}_next": x for n, x in zip(names, after, strict=True)}}
        several = isinstance(outputs, tuple | list)
        return (*(outputs if several else (outputs,)), *after)


@dataclass(frozen=True)
class _Place:
    owner: nn.Module
    name: str

    def get(self) -> torch.Tensor:
        return getattr(self.owner, self.name)

    def set(self, tensor: torch.Tensor) -> None:
        setattr(self.owner, self.name, tensor)


def find_kept(
    module: nn.Module, asked: Sequence[str], run: Callable[[], object], where: str
) -> KeptBuffers:
    """Find buffers and tensors in attributes by name; `all` stands for those that a run changes.

    Their values are those before the run, and the module has them again after it.
    """
    before = {path: tensor.clone() for path, tensor in _tensors(module)}
    run()
    changed = [path for path, old in before.items() if not _is(_place(module, path).get(), old)]
    paths = changed if ALL in asked else list(dict.fromkeys(asked))
    for path in paths:
        if path not in before:
            raise _unknown(path, changed or list(before), where)
    if not paths:
        raise UsageError(
            "no buffer of the model changes",
            where=where,
            why="a run on the example inputs left all buffers as they were",
            hint="leave --state out, or name inputs and outputs: h=h_next",
        )
    for path in changed:
        now, old = _place(module, path).get(), before[path]
        if path in paths and _described(now) != _described(old):
            raise UsageError(
                f"`{path}` does not stay what it is",
                where=where,
                why=f"it is {_described(old)} before a call and {_described(now)} after it",
                hint="keep a fixed number of frames: torch.cat([cache, x], 2)[:, :, -4:]",
            )
        _place(module, path).set(old.clone())
    return KeptBuffers(tuple(paths), tuple(before[path] for path in paths))


def with_kept(source: ModelSource) -> ModelSource:
    """Return the model with its kept buffers as inputs and outputs; others are returned as they are."""
    buffers = source.kept
    if buffers is None:
        return source
    return replace(
        source,
        module=WithBuffers(source.module, buffers),
        inputs=(*source.inputs, *buffers.inputs),
        input_names=(*source.input_names, *buffers.names),
        output_names=(),
    )


def _tensors(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    for prefix, owner in unwrapped(module).named_modules():
        plain = {name: x for name, x in vars(owner).items() if isinstance(x, torch.Tensor)}
        for name, tensor in {**owner._buffers, **plain}.items():
            if tensor is not None:
                yield ".".join(filter(None, (prefix, name))), tensor


def _place(module: nn.Module, path: str) -> _Place:
    prefix, _, name = path.rpartition(".")
    return _Place(unwrapped(module).get_submodule(prefix), name)


@contextmanager
def _values(module: nn.Module, paths: Sequence[str]) -> Iterator[list[_Place]]:
    """Open the places for other values; those of before are there again at the end."""
    places = [_place(module, path) for path in paths]
    before = [place.get() for place in places]
    try:
        yield places
    finally:
        for place, tensor in zip(places, before, strict=True):
            place.set(tensor)


def _is(now: object, before: torch.Tensor) -> bool:
    return (
        isinstance(now, torch.Tensor)
        and _described(now) == _described(before)
        and torch.equal(now, before)
    )


def _described(tensor: object) -> str:
    if not isinstance(tensor, torch.Tensor):
        return f"a {type(tensor).__name__}"
    return f"{'x'.join(map(str, tensor.shape))} {str(tensor.dtype).removeprefix('torch.')}"


def _unknown(name: str, names: Sequence[str], where: str) -> UsageError:
    return UsageError(
        f"the model has no buffer `{name}`",
        where=where,
        why="a name without `=` is a buffer's, or `all`; " + (f"there are {', '.join(names[:8])}" if names else "it has none"),
        hint=suggest(name, names) or "name inputs and outputs: h=h_next",
    )  # fmt: skip
