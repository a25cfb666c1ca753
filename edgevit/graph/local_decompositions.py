"""torch's decompositions with every distinct call traced by itself, for the time of a lowering.

`run_decompositions` runs the whole graph twice through three modes of the dispatcher, several milliseconds a call. Most
calls come out as they went in, or as another call of the same operator on the same shapes did: one is traced as torch
does, and written down for all. What torch wraps around the trace stays: signature, names, constants.
"""

# pyright: reportPrivateUsage=false, reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import operator
from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FunctionType
from typing import Any, cast
from unittest.mock import patch

import torch
from torch import fx
from torch._dispatch.python import enable_python_dispatcher
from torch._ops import OpOverload
from torch._subclasses.functional_tensor import FunctionalTensorMode
from torch.fx import _symbolic_trace
from torch.fx import traceback as fx_traceback
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.node import Node, map_arg
from torch.fx.passes.shape_prop import _extract_tensor_metadata
from torch.utils import _pytree as pytree

from edgevit.graph.constant_forms import constants_by_form

_TRACE = "_aot_export_joint_with_descriptors"
_GUARDS = "_guards_fn"  # checks the shapes of inputs, which are the example's
_FROM_CALL = (
    "nn_module_stack", "torch_fn", "source_fn_stack", "from_node", "quantization_tag", "custom", "partitioner_tag",
    "stack_trace",
)  # fmt: skip
_INTEGERS = "quantized_decomposed"
_KNOWN = frozenset({"aten", "prims", _INTEGERS})  # no operator there has a mark of its own
# Their results have the same form whatever the scale is.
_PAIRS = frozenset(
    f"{_INTEGERS}.{what}_per_{where}.default"
    for what in ("quantize", "dequantize")
    for where in ("tensor", "channel")
)
_VIEWS = frozenset({"view", "permute", "slice", "expand", "unsqueeze", "select", "transpose"})

Table = Mapping[Any, Callable[..., Any]]


class _UnusualError(Exception):
    """The graph has what a trace of single calls does not show."""


@contextmanager
def local_decompositions() -> Generator[None]:
    from torch._functorch._aot_autograd.schemas import GraphSignature
    from torch.export import _trace

    whole = getattr(_trace, _TRACE, None)
    if whole is None:  # not in every release of torch
        yield
        return

    def trace(stack: Any, mod: Any, args: Any, **options: Any) -> tuple[Any, Any]:
        try:
            return _decomposed(mod, args, options, GraphSignature)
        except Exception:  # torch's own way says what is wrong, if anything is
            return whole(stack, mod, args, **options)

    with ExitStack() as stack:
        stack.enter_context(patch.object(_trace, _TRACE, trace))
        stack.enter_context(constants_by_form())
        yield


@dataclass(frozen=True)
class _Same:
    """A call that stays as it is, with whatever numbers it has, and what is known of its result."""

    meta: Mapping[str, Any]


@dataclass(frozen=True)
class _Template:
    """What a call becomes."""

    inputs: tuple[Node, ...]
    calls: tuple[Node, ...]
    outputs: tuple[Node, ...]
    structure: Any


@dataclass(frozen=True)
class _Result:
    """One tensor: its node in the new graph, and its form."""

    node: Node
    fake: torch.Tensor


def _decomposed(
    mod: fx.GraphModule, args: Sequence[Any], options: Mapping[str, Any], signature: Any
) -> tuple[fx.GraphModule, Any]:
    if options["kwargs"]:
        raise _UnusualError
    writer = _GraphWriter(mod, args, options["decompositions"] or {})
    for node in mod.graph.nodes:
        writer.write(node)
    graph = writer.graph
    graph.eliminate_dead_code()
    inputs = [node.name for node in graph.nodes if node.op == "placeholder"]
    names = [*writer.parameters, *writer.buffers]
    count = len(writer.parameters)
    structure = pytree.tree_structure((tuple(args), {}))
    codegen = cast(Any, mod.graph._codegen)
    return fx.GraphModule({}, graph), signature(
        parameters=writer.parameters,
        buffers=writer.buffers,
        user_inputs=inputs[len(names) :],
        user_outputs=[node.name for node in cast(Any, graph.output_node().args[0])],
        inputs_to_parameters=dict(zip(inputs[:count], writer.parameters, strict=True)),
        inputs_to_buffers=dict(zip(inputs[count : len(names)], writer.buffers, strict=True)),
        buffers_to_mutate={},
        parameters_to_mutate={},
        user_inputs_to_mutate={},
        in_spec=structure,
        out_spec=codegen.pytree_info.out_spec,
        backward_signature=None,
        input_tokens=[],
        output_tokens=[],
    )


class _GraphWriter:
    """The new graph, call after call."""

    def __init__(self, mod: fx.GraphModule, args: Sequence[Any], table: Table) -> None:
        self.graph = fx.Graph()
        self._table = table
        self._results: dict[Node, Any] = {}
        self._templates: dict[Hashable, _Template | _Same] = {}
        parameters = dict(mod.named_parameters(remove_duplicate=False))
        buffers = dict(mod.named_buffers(remove_duplicate=False))
        self.parameters, self.buffers = list(parameters), list(buffers)
        tensors = [*parameters.values(), *buffers.values()]
        leaves = pytree.tree_leaves(tuple(args))
        if len({*map(id, [*tensors, *leaves])}) < len(tensors) + len(leaves):
            raise _UnusualError
        inputs = [self._placeholder(one) for one in (*tensors, *leaves)]
        self._constants = dict(zip([*parameters, *buffers], inputs, strict=False))
        self._inputs = iter(inputs[len(tensors) :])

    def _placeholder(self, tensor: Any) -> _Result:
        if not isinstance(tensor, torch.Tensor):
            raise _UnusualError
        _form(tensor)
        node = self.graph.placeholder(f"arg{len(self.graph.nodes)}_1")
        node.meta = {"val": tensor, "tensor_meta": _extract_tensor_metadata(tensor)}
        return _Result(node, tensor)

    def write(self, node: Node) -> None:
        if node.op == "placeholder":
            self._results[node] = next(self._inputs)
        elif node.op == "get_attr":
            self._results[node] = self._constants[str(node.target)]
        elif node.op == "output":
            self._write_output(node)
        elif node.op == "call_module" and str(node.target) == _GUARDS and not node.users:
            return
        elif node.target is operator.getitem:
            source, index = cast(tuple[Node, int], node.args)
            self._results[node] = self._results[source][index]
        elif node.op == "call_function":
            self._results[node] = self._call(node)
        else:
            raise _UnusualError

    def _write_output(self, node: Node) -> None:
        results = [self._results[one].node for one in pytree.tree_leaves(node.args[0])]
        if len({*results}) < len(results) or any(one.op == "placeholder" for one in results):
            raise _UnusualError
        self.graph.output(tuple(results)).meta = {}

    def _call(self, node: Node) -> Any:
        reads = [self._results[one] for one in node.all_input_nodes]
        if not all(isinstance(one, _Result) for one in reads):
            raise _UnusualError
        key = self._key(node)
        template = self._templates.get(key)
        if template is None:
            forms = [one.fake for one in reads]
            template = _copied(node, forms, self._table) or _traced(node, forms, self._table)
            if isinstance(template, _Same) or all(map(_is_known, template.calls)):
                self._templates[key] = template
        if isinstance(template, _Same):
            arguments = map_arg((node.args, node.kwargs), lambda one: self._results[one].node)
            call = self._written(node.target, arguments, template.meta, node)
            return _Result(call, template.meta["val"])
        copies = dict(zip(template.inputs, [one.node for one in reads], strict=True))
        for call in template.calls:
            arguments = map_arg((call.args, call.kwargs), copies.__getitem__)
            copies[call] = self._written(call.target, arguments, call.meta, node)
        fakes = dict(zip(template.inputs, [one.fake for one in reads], strict=True))
        results = [
            _Result(copies[one], fakes.get(one, one.meta["val"])) for one in template.outputs
        ]
        return pytree.tree_unflatten(results, template.structure)

    def _written(self, target: Any, arguments: Any, meta: Mapping[str, Any], origin: Node) -> Node:
        args, kwargs = arguments
        name = target.overloadpacket.__name__ if isinstance(target, OpOverload) else None
        new = self.graph.create_node("call_function", target, tuple(args), dict(kwargs), name)
        new.meta = {name: value for name, value in meta.items() if name not in _FROM_CALL}
        new.meta |= {"nn_module_stack": {}}  # torch's check wants one
        new.meta |= {name: origin.meta[name] for name in _FROM_CALL if name in origin.meta}
        return new

    def _key(self, node: Node) -> Hashable:
        order = {one: place for place, one in enumerate(node.all_input_nodes)}
        is_pair = _is_pair(node.target)

        def read(one: Any) -> Hashable:
            if isinstance(one, Node):
                return "tensor", order[one], _form(self._results[one].fake)
            if isinstance(one, list | tuple):
                return "list", *map(read, one)
            if isinstance(one, dict):
                return "dict", *((name, read(value)) for name, value in one.items())
            if is_pair and isinstance(one, int | float):
                return type(one)
            return type(one), one

        return _function(node.target), read(node.args), read(node.kwargs)


def _is_pair(target: Any) -> bool:
    return isinstance(target, OpOverload) and str(target) in _PAIRS


def _function(target: Any) -> Hashable:
    """Return what two functions have in common that do the same."""
    if not isinstance(target, FunctionType) or target.__defaults__ or target.__kwdefaults__:
        return target
    cells = tuple(cell.cell_contents for cell in target.__closure__ or ())
    try:
        return target.__code__, hash(cells) and cells
    except TypeError:  # a list, for one
        return target


def _form(tensor: torch.Tensor) -> Hashable:
    sizes = (*tensor.shape, *tensor.stride())
    if not all(type(size) is int for size in sizes):
        raise _UnusualError
    return tensor.dtype, tuple(tensor.shape), tensor.stride()


def _copied(node: Node, fakes: Sequence[torch.Tensor], table: Table) -> _Same | None:
    """Return what a call gives that torch would leave as it is; None for others, and where it is not clear."""
    target = node.target
    if not isinstance(target, OpOverload) or not _stays(target, table) or not _is_spelled(node):
        return None
    places = {one: place for place, one in enumerate(node.all_input_nodes)}
    args, kwargs = map_arg((node.args, node.kwargs), lambda one: fakes[places[one]])
    with enable_python_dispatcher():
        fake = target(*args, **kwargs)
    return _Same({"val": fake, "tensor_meta": _extract_tensor_metadata(fake)})


def _stays(target: OpOverload, table: Table) -> bool:
    schema, name = target._schema, torch._C.DispatchKey.CompositeImplicitAutograd
    aliases = any(one.alias_info is not None for one in schema.returns)
    return (
        target.namespace in {"aten", _INTEGERS}
        and target not in table
        and target.py_kernels.keys() <= {torch._C.DispatchKey.Meta}
        and not schema.is_mutable
        and not torch._C._dispatch_has_kernel_for_dispatch_key(target.name(), name)
        and (not aliases or target.overloadpacket.__name__ in _VIEWS)
        and [str(one.type) for one in schema.returns] == ["Tensor"]
    )


def _is_spelled(node: Node) -> bool:
    """Check for arguments as the dispatcher hands them on: by position, without defaults at the end."""
    arguments = cast(Any, node.target)._schema.arguments
    named = {one.name: one for one in arguments if one.kwarg_only}
    positional = [one for one in arguments if not one.kwarg_only][: len(node.args)]
    if not node.kwargs.keys() <= named.keys() or len(positional) < len(node.args):
        return False
    pairs = [*zip(positional, node.args, strict=True)]
    last = [pairs[-1]] if pairs else []
    for one, value in (*last, *((named[name], value) for name, value in node.kwargs.items())):
        if one.has_default_value() and one.default_value == value:
            return False
    return all(isinstance(value, Node) for one, value in pairs if str(one.type) == "Tensor")


def _traced(node: Node, fakes: Sequence[torch.Tensor], table: Table) -> _Template:
    """Trace one call as torch traces a graph."""
    from torch._functorch._aot_autograd.functional_utils import (
        from_fun,
        has_data_mutation,
        to_fun,
    )

    places = {one: place for place, one in enumerate(node.all_input_nodes)}
    structure: Any = None

    def call(*tensors: torch.Tensor) -> list[Any]:
        nonlocal structure
        keys = torch._C.DispatchKeySet(torch._C.DispatchKey.Functionalize)
        with torch._C._ExcludeDispatchKeyGuard(keys):
            functional = [to_fun(one) for one in tensors]
            args, kwargs = map_arg((node.args, node.kwargs), lambda one: functional[places[one]])
            results, structure = pytree.tree_flatten(cast(Any, node.target)(*args, **kwargs))
            if any(map(has_data_mutation, functional)):
                raise _UnusualError
        return [from_fun(one) for one in results]

    mode = FunctionalTensorMode(pre_dispatch=False, export=True, _allow_token_discovery=True)
    inputs = [torch.empty_strided(one.shape, one.stride(), dtype=one.dtype) for one in fakes]
    with fx_traceback.preserve_node_meta(), enable_python_dispatcher(), mode, _short_trace():
        traced = make_fx(call, decomposition_table=cast(Any, table))(*inputs)
    nodes = list(traced.graph.nodes)
    calls = tuple(one for one in nodes if one.op == "call_function")
    outputs = tuple(cast(Sequence[Node], traced.graph.output_node().args[0]))
    placeholders = tuple(one for one in nodes if one.op == "placeholder")
    if len(nodes) != len(calls) + len(placeholders) + 1 or not all(map(_is_pure, calls)):
        raise _UnusualError
    if not all(isinstance(one, Node) for one in cast(Sequence[object], outputs)):
        raise _UnusualError
    if _is_pair(node.target):  # whatever becomes of it has the numbers of this one call
        raise _UnusualError
    return _Template(placeholders, calls, outputs, structure)


def _nothing_removed(*_: object) -> bool:
    return False


@contextmanager
def _short_trace() -> Generator[None]:
    """Keep what a trace makes and does not use: torch numbers names before it removes these. No call reads a module, so
    that the class of all modules, whose thousands of subclasses notice, stays as it is.
    """
    with (
        patch.object(fx.Graph, "eliminate_dead_code", _nothing_removed),
        patch.object(_symbolic_trace, "_new_patcher", _NoPatcher, create=True),
    ):
        yield


class _NoPatcher:
    """Changes no module and no function for the time of a trace."""

    def __enter__(self) -> _NoPatcher:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def patch(self, *_: object, **options: object) -> None:
        pass

    patch_method = patch

    def visit_once(self, thing: object) -> bool:
        return False


def _is_known(call: Node) -> bool:
    return not isinstance(call.target, OpOverload) or call.target.namespace in _KNOWN


def _is_pure(call: Node) -> bool:
    if call.target is operator.getitem:
        return True
    return isinstance(call.target, OpOverload) and not call.target._schema.is_mutable
