"""Several sizes of one model in one file, whose axes are as long as its input's.

    Reshape(x, [1, 196, 64])    of 224 pixels
    Reshape(x, [1, 144, 64])    of 192         ->   Reshape(x, table of both, at the place of the input's size)

Graphs of two sizes have the same calls; a few numbers of theirs differ: shapes, windows, learnt places. These are
read from tables, and all weights lie in the file once. An input of a size that is not in the table ends the run with
an error that lists the sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.backends.functions import Functions, NotJoinedError
from edgevit.backends.on_host import Run, over_tensors, worker_for
from edgevit.backends.onnx.shared_weights import copy_of
from edgevit.backends.session import load_library

_INT32 = 6  # onnx.TensorProto.INT32
_WITH_WEIGHTS = frozenset({"Conv", "ConvTranspose", "Gemm"})
_OF_INTEGERS = frozenset({"QuantizeLinear", "DequantizeLinear"})


def join_files(files: Mapping[str, Path], path: Path) -> None:
    if any(file.with_name(f"{file.name}.data").exists() for file in files.values()):
        raise NotJoinedError("the weights are in a file of their own")
    onnx = load_library("onnx", "onnx")
    models = [onnx.load(file) for file in files.values()]
    graph = models[0].graph
    joined = _Joined([model.graph for model in models])
    for name in ("node", "initializer", "value_info"):
        graph.ClearField(name)
    graph.node.extend(joined.nodes)
    graph.initializer.extend(joined.tensors.values())
    for ports in ("input", "output"):
        _name_axes(ports, [model.graph for model in models])
    for port in graph.input:  # the runtime fuses sums where it knows that both sides have one shape
        sized = graph.value_info.add()
        sized.CopyFrom(port)
        sized.name = _sized(port.name)
    onnx.save(models[0], path)


class _Joined:
    """Nodes and tensors of all sizes, built node by node from their graphs side by side."""

    def __init__(self, graphs: Sequence[Any]) -> None:
        self.nodes: list[Any] = []
        self.tensors: dict[str, Any] = {}
        self._weights = [{one.name: one for one in graph.initializer} for graph in graphs]
        self._names: list[dict[str, str]] = [{"": ""} for _ in graphs]  # in the joined file
        self._find_place(graphs)
        for same in zip(*(graph.input for graph in graphs), strict=True):
            self._add_input([port.name for port in same], [_sizes(port) for port in same])
        if len({len(graph.node) for graph in graphs}) > 1:
            raise NotJoinedError("the graphs of the sizes have other calls")
        for nodes in zip(*(graph.node for graph in graphs), strict=True):
            self._add_node(nodes)
        for same in zip(*(graph.output for graph in graphs), strict=True):
            if self._together([port.name for port in same]) != same[0].name:
                raise NotJoinedError("the graphs of the sizes give other values")

    def _find_place(self, graphs: Sequence[Any]) -> None:
        """Add what finds the input's size in the table of sizes."""
        sizes = [list(chain.from_iterable(map(_sizes, graph.input))) for graph in graphs]
        ports = [port.name for port in graphs[0].input]
        for name in ports:
            self._call("Shape", [name], f"sizes/{name}")
        self._call("Concat", [f"sizes/{name}" for name in ports], "sizes", axis=0)
        self._constant("sizes/table", np.array(sizes, np.int64))
        self._call("Equal", ["sizes", "sizes/table"], "sizes/equal")
        self._call("Cast", ["sizes/equal"], "sizes/ones", to=_INT32)
        self._constant("sizes/last", np.array([1], np.int64))
        self._call("ReduceMin", ["sizes/ones", "sizes/last"], "sizes/fits", keepdims=0)
        self._call("NonZero", ["sizes/fits"], "sizes/places")
        self._constant("sizes/first", np.array(0, np.int64))
        listed = ", ".join("x".join(map(str, one)) for one in sizes)
        refusal = f"the sizes of the input are none of {listed}"  # the runtime names what fails
        self._call("Gather", ["sizes/places", "sizes/first"], "sizes/row", refusal, axis=1)
        self._call("Gather", ["sizes/row", "sizes/first"], "sizes/place", axis=0)

    def _add_input(self, names: Sequence[str], sizes: Sequence[Sequence[int]]) -> None:
        """Add an input as what has one of the sizes: else any size would do for a graph without tables."""
        shape = self._choice(f"{names[0]}/sizes", [np.array(one, np.int64) for one in sizes])
        self._call("Reshape", [names[0], shape], _sized(names[0]))
        for table, name in zip(self._names, names, strict=True):
            table[name] = _sized(names[0])

    def _add_node(self, nodes: Sequence[Any]) -> None:
        own = [copy_of(node) for node in nodes]
        if len({(node.op_type, len(node.input), len(node.output)) for node in nodes}) > 1:
            raise NotJoinedError(f"the graphs of the sizes differ at {nodes[0].name}")
        for place in range(len(nodes[0].input)):
            value = self._read([node.input[place] for node in nodes], nodes[0])
            for node in own:
                node.input[place] = value
        for place, name in enumerate(nodes[0].output):
            for table, node in zip(self._names, nodes, strict=True):
                table[node.output[place]] = name
        if len({_attributes(node) for node in nodes}) == 1:
            self.nodes.append(own[0])
        else:
            self.nodes += _chosen(own, [*nodes[0].output], 0)

    def _read(self, names: Sequence[str], node: Any) -> str:
        """Return the joined file's name of what the nodes of all sizes read."""
        if all(name in table for name, table in zip(names, self._names, strict=True)):
            return self._together(names)
        if not all(name in one for name, one in zip(names, self._weights, strict=True)):
            raise NotJoinedError(f"the graphs of the sizes differ at {node.name}")
        tensors = [one[name] for name, one in zip(names, self._weights, strict=True)]
        if len({_content(tensor) for tensor in tensors}) == 1:
            self.tensors[names[0]] = tensors[0]
            return names[0]
        if node.op_type in _OF_INTEGERS:
            raise NotJoinedError("the integers of each size have steps of their own")
        if node.op_type in _WITH_WEIGHTS:
            raise NotJoinedError(
                "the weights of each size are others, as random ones are, which are warmed at their size"
            )
        read = load_library("onnx.numpy_helper", "onnx").to_array
        return self._choice("/".join(dict.fromkeys(names)), [read(tensor) for tensor in tensors])

    def _together(self, names: Sequence[str]) -> str:
        """Return the one value that stands for all of these."""
        values = {table[name] for name, table in zip(names, self._names, strict=True)}
        if len(values) > 1:
            raise NotJoinedError("the graphs of the sizes are connected in other ways")
        return values.pop()

    def _choice(self, name: str, arrays: Sequence[NDArray[Any]]) -> str:
        """Return the one of these arrays that belongs to the input's size."""
        chosen = f"{name}/chosen"
        if any(chosen in node.output for node in self.nodes):
            return chosen
        if len({array.shape for array in arrays}) == 1:
            self._constant(f"{name}/table", np.stack(arrays))
            self._call("Gather", [f"{name}/table", "sizes/place"], chosen, axis=0)
            return chosen
        if len({array.ndim for array in arrays}) > 1:
            raise NotJoinedError(f"{name} has other axes at each size")
        ends = np.cumsum([array.size for array in arrays])[:, None]
        self._constant(f"{name}/all", np.concatenate([array.ravel() for array in arrays]))
        first = self._choice(f"{name}/start", [*(ends - [[array.size] for array in arrays])])
        last = self._choice(f"{name}/end", [*ends])
        shape = self._choice(f"{name}/shape", [np.array(array.shape) for array in arrays])
        self._call("Slice", [f"{name}/all", first, last], f"{name}/own")
        self._call("Reshape", [f"{name}/own", shape], chosen)
        return chosen

    def _constant(self, name: str, array: NDArray[Any]) -> None:
        helper = load_library("onnx.numpy_helper", "onnx")
        self.tensors[name] = helper.from_array(array, name)

    def _call(
        self, call: str, reads: Sequence[str], gives: str, name: str = "", **how: int
    ) -> None:
        make_node = load_library("onnx.helper", "onnx").make_node
        self.nodes.append(make_node(call, [*reads], [gives], name or gives, **how))


def _chosen(nodes: Sequence[Any], outputs: Sequence[str], place: int) -> list[Any]:
    """Return what runs the node at the place of the input's size, or else one of those behind it."""
    onnx = load_library("onnx", "onnx")
    node, name = nodes[0], nodes[0].name
    if len(nodes) == 1:
        node.output[:] = outputs
        return [node]
    branches = {}
    for branch, rest, at in (
        ("then_branch", nodes[:1], place),
        ("else_branch", nodes[1:], place + 1),
    ):
        own = [f"{output}/{branch}/{place}" for output in outputs]
        ports = [onnx.helper.make_empty_tensor_value_info(one) for one in own]
        branches[branch] = onnx.helper.make_graph(_chosen(rest, own, at), branch, [], ports)
    number = onnx.numpy_helper.from_array(np.array(place, np.int64))
    make_node = onnx.helper.make_node
    is_here = f"{name}/is/{place}"
    return [
        make_node("Constant", [], [f"{name}/place/{place}"], value=number),
        make_node("Equal", ["sizes/place", f"{name}/place/{place}"], [is_here]),
        make_node("If", [is_here], [*outputs], f"{name}/{place}", **branches),
    ]


def _content(tensor: Any) -> bytes:
    nameless = copy_of(tensor)
    nameless.name = ""
    return nameless.SerializeToString(deterministic=True)


def _attributes(node: Any) -> bytes:
    nameless = type(node)()
    nameless.attribute.extend(sorted(node.attribute, key=lambda one: one.name))
    return nameless.SerializeToString(deterministic=True)


def _sizes(port: Any) -> list[int]:
    return [axis.dim_value for axis in port.type.tensor_type.shape.dim]


def _sized(name: str) -> str:
    return f"{name}/sized"


def _name_axes(ports: str, graphs: Sequence[Any]) -> None:
    """Give the first graph's axes that are not of one length at all sizes a name instead, in place."""
    for same in zip(*(getattr(graph, ports) for graph in graphs), strict=True):
        axes = same[0].type.tensor_type.shape.dim
        for axis, lengths in enumerate(zip(*map(_sizes, same), strict=True)):
            if len(set(lengths)) > 1:
                axes[axis].dim_param = f"{same[0].name}_{axis}"


def open_size(path: Path, name: str | None, precision: str) -> Run:
    """Open a file of one size or of several; the input's size chooses."""
    del name, precision
    worker = worker_for("onnx")
    worker.open(path)
    return over_tensors(worker.run)


# Where the runtime does not know that two lengths are one it fuses fewer sums.
FUNCTIONS = Functions(None, open_size, join_files=join_files, rounding=1e-5)
