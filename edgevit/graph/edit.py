"""Drafts of a program and the edits that keep its metadata whole: the one way to change a graph."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace as dataclass_replace
from typing import Any

import torch
from torch import fx
from torch._subclasses import FakeTensor
from torch.fx.node import Node, map_arg

from edgevit.graph.aten import function_of, mapped_arguments
from edgevit.graph.program import Origin, Program, copy_graph, origin, shape, value

Form = tuple[Sequence[int], Sequence[int], torch.dtype]
_INTEGERS = "quantized_decomposed"
_FORMS_OF_PAIRS: dict[Hashable, Form] = {}  # of all drafts
_TIMES, _MORE = (
    2,
    1 << 28,
)  # limit of constants in one edit: a multiple of the program's own bytes, plus a base


def row_by_row(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor with the strides that its shape alone gives.

    `contiguous` leaves the stride of an axis of size 1 as it was, and ExecuTorch reads an order of the axes
    from it that its kernels do not take.
    """
    return tensor.contiguous().flatten().reshape(tensor.shape)


class EditTooLargeError(Exception):
    """An edit would make constants far larger than the program."""


class Draft:
    """A private copy of a program's graph, changed in place by `Edit` and frozen again by `program()`."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.graph: fx.Graph = copy_graph(program.graph)
        self.constants = dict(program.constants)
        own = sum(tensor.nbytes for tensor in self.constants.values())
        self.most_bytes = _TIMES * own + _MORE
        fake = program.placeholders()[0].meta["val"]
        self.fake_mode = fake.fake_mode

    def fake(self, sizes: Sequence[int], strides: Sequence[int], dtype: torch.dtype) -> FakeTensor:
        """Return a tensor without numbers, of one form. Asking torch for a constant takes ten times as long."""
        without_memory = torch.empty_strided(sizes, strides, dtype=dtype, device="meta")
        return FakeTensor(self.fake_mode, without_memory, torch.device("cpu"))

    def tensor(self, node: Node) -> torch.Tensor:
        return self.constants[str(node.target)]

    def is_constant(self, node: Any) -> bool:
        return isinstance(node, Node) and node.op == "get_attr"

    def as_it_is(self) -> Program:
        """Return the graph in the middle of an edit, to be read and not stored."""
        return dataclass_replace(self._program, graph=self.graph, constants=self.constants)

    def drop_dead(self) -> None:
        self.graph.eliminate_dead_code(
            is_impure_node=lambda node: node.op in {"placeholder", "output"}
        )

    def program(self) -> Program:
        self.drop_dead()
        self.graph.lint()
        used = {str(node.target) for node in self.graph.nodes if node.op == "get_attr"}
        live = {name: tensor for name, tensor in self.constants.items() if name in used}
        return dataclass_replace(self._program, graph=self.graph, constants=live)


class Edit:
    """Edits made by one rule at one place. New nodes go before `anchor` and inherit the origin of what they replace."""

    def __init__(
        self, draft: Draft, rule: str, anchor: Node, replaces: Sequence[Node] = ()
    ) -> None:
        self.draft = draft
        self._anchor = anchor
        self._bytes = 0
        self._origin = _merge([origin(node) for node in (replaces or (anchor,))], rule)

    def call(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Node:
        with self.draft.graph.inserting_before(self._anchor):
            node = self.draft.graph.call_function(target, args, kwargs)
        node.meta = {"origin": self._origin, "val": self._fake(target, args, kwargs)}
        return node

    def again(self, node: Node, *args: Any, **kwargs: Any) -> Node:
        """Call what `node` calls, with other arguments."""
        return self.call(function_of(node), *args, **kwargs)

    def twin(self, node: Node) -> Node:
        """Repeat a call of this edit."""
        with self.draft.graph.inserting_before(self._anchor):
            return self.draft.graph.node_copy(node, lambda read: read)

    def copied(self, node: Node, change: Callable[[Node], Any]) -> Node:
        """Call what `node` calls, with each value that it reads changed."""
        args, kwargs = mapped_arguments(node, change)
        return self.again(node, *args, **kwargs)

    def reshaped(self, node: Node, sizes: Sequence[int]) -> Node:
        """Reshape `node` to `sizes`; return `node` itself where it has that shape."""
        if list(shape(node)) == list(sizes):
            return node
        return self.call(torch.ops.aten.reshape.default, node, list(sizes))

    def constant(self, tensor: torch.Tensor, name: str) -> Node:
        """Add a constant.

        `name` is its role: "weight", "bias". Raises `EditTooLargeError` where the constants of this edit
        together exceed the draft's limit.
        """
        self._bytes += tensor.nbytes
        if self._bytes > self.draft.most_bytes:
            raise EditTooLargeError(f"its constants would have {self._bytes >> 20:,} MB")
        stem = f"{self._origin.module or 'root'}.{self._origin.rules[-1].replace('-', '_')}.{name}"
        unique, count = stem, 1
        while unique in self.draft.constants:
            unique, count = f"{stem}_{count}", count + 1
        tensor = row_by_row(tensor.detach())
        self.draft.constants[unique] = tensor
        with self.draft.graph.inserting_before(self._anchor):
            node = self.draft.graph.create_node("get_attr", unique)
        node.meta = {"origin": self._origin, "val": self.draft.fake(*_form(tensor))}
        return node

    def replace(self, old: Node, new: Node) -> Node:
        """Let all readers of `old` read `new`.

        Both have the same shape and dtype. `old` and what only it read are erased.
        """
        before, after = value(old), value(new)
        if before.shape != after.shape or before.dtype != after.dtype:
            raise AssertionError(
                f"{old} is {before.dtype}{list(before.shape)}, {new} is {after.dtype}{list(after.shape)}"
            )
        old.replace_all_uses_with(new)
        self._erase(old)
        return new

    def _erase(self, node: Node) -> None:
        stack = [node]
        while stack:
            dead = stack.pop()
            if dead.users or dead.op in {"placeholder", "output"} or dead._erased:
                continue
            readers = dead.all_input_nodes
            self.draft.graph.erase_node(dead)
            stack.extend(readers)

    def _fake(self, target: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        key = _pair_key(target, args, kwargs)
        if form := _FORMS_OF_PAIRS.get(key):
            return self.draft.fake(*form)
        with self.draft.fake_mode, torch.no_grad():
            result = target(*map_arg(args, value), **map_arg(kwargs, value))
        if key and isinstance(result, torch.Tensor):
            _FORMS_OF_PAIRS[key] = _form(result)
        return result


def _form(tensor: torch.Tensor) -> Form:
    return tensor.shape, tensor.stride(), tensor.dtype


def _pair_key(target: Callable[..., Any], args: Any, kwargs: Any) -> Hashable:
    """Return what the form of a quantised or dequantised value depends on; None for other calls."""
    if getattr(target, "namespace", "") != _INTEGERS or kwargs:
        return None
    forms: list[Hashable] = [
        _form(value(one)) if isinstance(one, Node) else type(one) for one in args
    ]
    return target, *forms, args[-1] if isinstance(args[-1], torch.dtype) else None


def _merge(origins: list[Origin], rule: str) -> Origin:
    """Merge the origins of several nodes: the module path they share, the last one's source
    line.
    """
    last = origins[-1]
    paths = [o.module.split(".") for o in origins]
    shared: list[str] = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    rules = tuple(dict.fromkeys(name for o in origins for name in o.rules if name != rule))
    return Origin(".".join(shared) or last.module, last.source, (*rules, rule))
