"""Operators of heads in NumPy: one expression each, in the result's type; `HELPERS` are functions that some need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from torch.fx.node import Node

from edgevit.graph.aten import argument, has_argument, op

Rendered = Callable[[Any], str]
Form = Callable[[Node, Rendered], str]

HELPERS = {
    "sigmoid_of": '''\
def sigmoid_of(x):
    """Compute it without an overflow on either side."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, x.dtype.type(1), small) / (1 + small)
''',
    "softmax_of": """\
def softmax_of(x, axis):
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)
""",
    "places_of": '''\
def places_of(x, axis, descending, count=None):
    """Return places in order; of equal values the first comes first."""
    keys = x if not descending else -x if x.dtype != bool else ~x
    return np.argsort(keys, axis, kind="stable").take(range(count if count is not None else x.shape[axis]), axis)
''',
}


def _values(node: Node) -> list[tuple[int, ...]]:
    return [tuple(part.shape) for part in node.meta["val"]]


def _shape(node: Node) -> list[int]:
    return list(node.meta["val"].shape)


def _extent(node: Node) -> list[int]:
    return list(argument(node, "self").meta["val"].shape)


def _binary(sign: str) -> Form:
    def form(node: Node, r: Rendered) -> str:
        one, other = node.args[:2]
        alpha = argument(node, "alpha") if has_argument(node, "alpha") else 1
        return f"{r(one)} {sign} {r(other)}" + (f" * {alpha!r}" if alpha != 1 else "")

    return form


def _called(name: str, *parameters: str) -> Form:
    def form(node: Node, r: Rendered) -> str:
        words = [r(argument(node, name)) for name in ("self", *parameters)]
        return f"{name}({', '.join(words)})"

    return form


def _pair(name: str) -> Form:
    return lambda node, r: f"{name}({r(node.args[0])}, {r(node.args[1])})"


def _same(node: Node, r: Rendered) -> str:
    return r(node.args[0])


def _reshaped(node: Node, r: Rendered) -> str:
    return f"{r(node.args[0])}.reshape({_shape(node)})"


def _divided(node: Node, r: Rendered) -> str:
    one, other = map(r, node.args[:2])
    mode = argument(node, "rounding_mode") if has_argument(node, "rounding_mode") else None
    if mode == "floor":
        return f"np.floor_divide({one}, {other})"
    return f"np.trunc({one} / {other})" if mode else f"{one} / {other}"


def _reversed(node: Node, r: Rendered) -> str:
    alpha = argument(node, "alpha")
    times = "" if alpha == 1 else f" * {alpha!r}"
    return f"{r(node.args[1])} - {r(node.args[0])}{times}"


def _sliced(node: Node, r: Rendered) -> str:
    axis = argument(node, "dim") % len(_extent(node))
    extent = _extent(node)[axis]
    start, end = (argument(node, name) for name in ("start", "end"))
    cut = slice(start, end, argument(node, "step")).indices(extent)
    return f"{r(node.args[0])}[{':, ' * axis}{cut[0]}:{cut[1]}:{cut[2]}]"


def _parts(node: Node, r: Rendered) -> str:
    axis = argument(node, "dim")
    extents = [shape[axis] for shape in _values(node)]
    return f"np.split({r(node.args[0])}, {list(accumulate(extents))[:-1]}, {axis})"


def _unbound(node: Node, r: Rendered) -> str:
    axis, count = argument(node, "dim"), len(_values(node))
    return f"[{r(node.args[0])}.take(k, {axis}) for k in range({count})]"


def _joined(name: str) -> Form:
    def form(node: Node, r: Rendered) -> str:
        tensors: Sequence[Node] = argument(node, "tensors")
        return f"{name}({r(tensors)}, {argument(node, 'dim')})"

    return form


def _gathered(node: Node, r: Rendered) -> str:
    """Crop the axes that the indices do not reach, as NumPy takes none but equal ones."""
    index = argument(node, "index")
    extents, reach = _extent(node), list(index.meta["val"].shape)
    axis = argument(node, "dim") % len(extents) if extents else 0
    cuts = [":" if k == axis or a == b else f":{b}" for k, (a, b) in enumerate(zip(extents, reach, strict=True))]  # fmt: skip
    crop = f"[{', '.join(cuts)}]" if any(cut != ":" for cut in cuts) else ""
    return f"np.take_along_axis({r(node.args[0])}{crop}, {r(index)}, {axis})"


def _indexed(node: Node, r: Rendered) -> str:
    words = [":" if one is None else r(one) for one in argument(node, "indices")]
    return f"{r(node.args[0])}[{', '.join(words)}]"


def _best(node: Node, r: Rendered) -> str:
    x, axis = r(node.args[0]), argument(node, "dim")
    places = f"places_of({x}, {axis}, {argument(node, 'largest')}, {argument(node, 'k')})"
    return _with_values(x, places, axis)


def _sorted(node: Node, r: Rendered) -> str:
    x, axis = r(node.args[0]), argument(node, "dim")
    places = f"places_of({x}, {axis}, {argument(node, 'descending')})"
    return places if op(node).startswith("argsort") else _with_values(x, places, axis)


def _with_values(x: str, places: str, axis: int) -> str:
    return f"(lambda places: (np.take_along_axis({x}, places, {axis}), places))({places})"


def _reduced(name: str, places: str = "") -> Form:
    def form(node: Node, r: Rendered) -> str:
        x = r(node.args[0])
        if not has_argument(node, "dim"):
            return f"{x}.{name}()"
        axes, keeps = argument(node, "dim"), argument(node, "keepdim")
        axis = f"tuple({axes})" if isinstance(axes, list | tuple) and axes else axes or None if isinstance(axes, list | tuple) else axes  # fmt: skip
        text = f"{x}.{name}(axis={axis}, keepdims={keeps})"
        is_pair = not hasattr(node.meta["val"], "shape")
        return f"({text}, {x}.{places}(axis={axis}, keepdims={keeps}))" if is_pair else text

    return form


def _clipped(node: Node, r: Rendered) -> str:
    low, high = (argument(node, name) for name in ("min", "max"))
    return f"np.clip({r(node.args[0])}, {r(low)}, {r(high)})"


def _narrowed(node: Node, r: Rendered) -> str:
    axis = argument(node, "dim") % len(_extent(node))
    start = argument(node, "start") % max(_extent(node)[axis], 1)
    return f"{r(node.args[0])}[{':, ' * axis}{start}:{start + argument(node, 'length')}]"


def _counted(node: Node, r: Rendered) -> str:
    names = [name for name in ("start", "end", "step") if has_argument(node, name)]
    return f"np.arange({', '.join(r(argument(node, name)) for name in names)})"


FORMS: dict[str, Form] = {
    **{name: _called(f"np.{name}") for name in ["exp", "log", "sqrt", "sin", "cos", "tanh", "floor", "ceil", "abs", "sign", "square", "reciprocal", "isfinite", "isnan"]},
    **dict.fromkeys(("clone", "contiguous", "alias", "detach", "to", "_to_copy", "lift_fresh_copy"), _same),
    **dict.fromkeys(("view", "reshape", "_unsafe_view", "flatten", "unflatten", "unsqueeze", "squeeze"), _reshaped),
    **dict.fromkeys(("split", "chunk", "split_with_sizes", "tensor_split"), _parts),
    "neg": lambda node, r: f"-{r(node.args[0])}",
    "round": lambda node, r: f"np.round({r(node.args[0])}, {argument(node, 'decimals') if has_argument(node, 'decimals') else 0})",
    "rsqrt": lambda node, r: f"1 / np.sqrt({r(node.args[0])})",
    "sigmoid": _called("sigmoid_of"),
    "softmax": _called("softmax_of", "dim"),
    "relu": lambda node, r: f"np.maximum({r(node.args[0])}, 0)",
    "add": _binary("+"),
    "sub": _binary("-"),
    "mul": _binary("*"),
    "pow": _binary("**"),
    "rsub": _reversed,
    "div": _divided,
    "true_divide": _divided,
    "floor_divide": _pair("np.floor_divide"),
    "remainder": _pair("np.remainder"),
    "maximum": _pair("np.maximum"),
    "minimum": _pair("np.minimum"),
    "atan2": _pair("np.arctan2"),
    "logical_and": _pair("np.logical_and"),
    "logical_or": _pair("np.logical_or"),
    "logical_not": _called("np.logical_not"),
    **{name: _binary(sign) for name, sign in {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "==", "ne": "!="}.items()},
    "where": lambda node, r: f"np.where({', '.join(map(r, node.args))})",
    "clamp": _clipped,
    "clamp_min": _pair("np.maximum"),
    "clamp_max": _pair("np.minimum"),
    "cat": _joined("np.concatenate"),
    "stack": _joined("np.stack"),
    "unbind": _unbound,
    "getitem": lambda node, r: f"{r(node.args[0])}[{node.args[1]}]",
    "slice": _sliced,
    "select": lambda node, r: f"{r(node.args[0])}.take({argument(node, 'index')}, {argument(node, 'dim')})",
    "permute": lambda node, r: f"{r(node.args[0])}.transpose({list(argument(node, 'dims'))})",
    "transpose": lambda node, r: f"{r(node.args[0])}.swapaxes({argument(node, 'dim0')}, {argument(node, 'dim1')})",
    **dict.fromkeys(("mT", "t", "numpy_T"), lambda node, r: f"{r(node.args[0])}.T" if len(_shape(node)) < 3 else f"{r(node.args[0])}.swapaxes(-1, -2)"),
    "flip": lambda node, r: f"np.flip({r(node.args[0])}, {tuple(argument(node, 'dims'))})",
    "narrow": _narrowed,
    "masked_fill": lambda node, r: f"np.where({r(node.args[1])}, {r(node.args[2])}, {r(node.args[0])})",
    "arange": _counted,
    "expand": lambda node, r: f"np.broadcast_to({r(node.args[0])}, {_shape(node)})",
    "repeat": lambda node, r: f"np.tile({r(node.args[0])}, {list(argument(node, 'repeats'))})",
    "gather": _gathered,
    "index_select": lambda node, r: f"{r(node.args[0])}.take({r(argument(node, 'index'))}, {argument(node, 'dim')})",
    "index": _indexed,
    "topk": _best,
    "sort": _sorted,
    "argsort": _sorted,
    "cumsum": lambda node, r: f"{r(node.args[0])}.cumsum({argument(node, 'dim')})",
    "max": _reduced("max", "argmax"),
    "min": _reduced("min", "argmin"),
    "amax": _reduced("max"),
    "amin": _reduced("min"),
    "sum": _reduced("sum"),
    "mean": _reduced("mean"),
    "argmax": _reduced("argmax"),
    "argmin": _reduced("argmin"),
    "full": lambda node, r: f"np.full({_shape(node)}, {r(argument(node, 'fill_value'))})",
    "zeros": lambda node, r: f"np.zeros({_shape(node)})",
    "ones": lambda node, r: f"np.ones({_shape(node)})",
}  # fmt: skip
