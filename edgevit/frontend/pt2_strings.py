"""Checkers of the strings in an exported program that torch would evaluate.

Loading a .pt2 hands strings from the file to `eval`, `exec`, `getattr` and `import`:

    expression    sympy.sympify(text) evaluates it as Python
    guard         compiled into a function that runs before forward
    name          pasted into the source of the generated forward
    operator      looked up by attribute from `torch`: `torch.load` is as good as `torch.ops.aten.add`
    tree          names container types, and modules to import for their contexts

Each has a checker here that knows what torch.export itself writes and refuses all else. A checker
returns the reason for a refusal, or "" when the text is harmless.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable

import torch

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|", re.ASCII)
_PATH = re.compile(r"[A-Za-z0-9_.+-]*", re.ASCII)
_TEXT = re.compile(r"[^'\"\\\r\n]{0,256}")
_LONGEST = 10_000
_LARGEST_POWER = 16
_LARGEST_OPTION = 64  # of a keyword: `precision=53`, `integer=True`

_SYMPY = frozenset(
    [
        "Symbol",
        "Integer",
        "Float",
        "Rational",
        "Add",
        "Mul",
        "Pow",
        "Max",
        "Min",
        "Abs",
        "floor",
        "ceiling",
        "sqrt",
        "Eq",
        "Ne",
        "Lt",
        "Le",
        "Gt",
        "Ge",
        "Equality",
        "Unequality",
        "StrictLessThan",
        "LessThan",
        "StrictGreaterThan",
        "GreaterThan",
        "And",
        "Or",
        "Not",
        "Piecewise",
        "true",
        "false",
        "True",
        "False",
        "oo",
        "zoo",
        "int_oo",
        "FloorDiv",
        "ModularIndexing",
        "Where",
        "PythonMod",
        "Mod",
        "CleanDiv",
        "CeilToInt",
        "FloorToInt",
        "CeilDiv",
        "LShift",
        "RShift",
        "PowByNatural",
        "FloatPow",
        "FloatTrueDiv",
        "IntTrueDiv",
        "IsNonOverlappingAndDenseIndicator",
        "TruncToFloat",
        "TruncToInt",
        "RoundToInt",
        "RoundDecimal",
        "ToFloat",
        "Identity",
    ]
)
_SYMBOL = re.compile(r"[a-z]{1,4}\d+", re.ASCII)  # s77, u0, zuf1
# Strings passed to sympy: a symbol, or a number that it would expand in full.
_LITERAL = re.compile(r"[A-Za-z_]\w*|[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?", re.ASCII)
# `a ** b`, `a << b`, and `a ^ b`, which sympy reads as a power: small text, numbers without end.
_GROWING = (ast.Pow, ast.LShift, ast.BitXor)
_GROWING_CALLS = ("Pow", "FloatPow", "PowByNatural", "LShift")
_ARITHMETIC = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.operator, ast.unaryop,
    ast.boolop, ast.cmpop, ast.expr_context, ast.Tuple, ast.keyword,
)  # fmt: skip
_GUARD_METHODS = frozenset(("size", "stride", "storage_offset", "shape"))

_SYMBOLIC_OPERATORS = re.compile(r"_operator\.(\w+)|math\.trunc|torch\.sym_\w+|torch\._sym_\w+")
_OPERATOR = re.compile(r"torch\.ops\.aten\.([A-Za-z]\w*|_[A-Za-z]\w*)\.(\w+)", re.ASCII)
_HIGHER_ORDER = frozenset(
    f"torch.ops.higher_order.{name}"
    for name in ("wrap_with_set_grad_enabled", "wrap_with_autocast", "cond", "wrap")
)
_PYTHON_OPERATORS = frozenset(
    [
        "getitem",
        "add",
        "sub",
        "mul",
        "truediv",
        "floordiv",
        "mod",
        "pow",
        "neg",
        "pos",
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "and_",
        "or_",
        "lshift",
        "rshift",
        "not_",
    ]
)
# Arguments through which an aten operator takes a string that is not the name of a file.
_STRING_ARGUMENTS = frozenset(
    [
        "approximate",
        "mode",
        "pad_mode",
        "padding",
        "padding_side",
        "rounding_mode",
        "interpolation",
        "reduce",
        "equation",
        "indexing",
        "side",
        "norm",
        "ord",
        "UPLO",
        "driver",
        "assert_msg",
    ]
)
_CONTAINERS = ("builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict")


def check_name(text: str) -> str:
    return "" if _NAME.fullmatch(text) else f"`{_cut(text)}` is not a name"


def check_path(text: str) -> str:
    """Check a dotted path into the module tree.

    Path elements may hold digits and dashes, not dunders.
    """
    if _PATH.fullmatch(text) and not any(p.startswith("__") for p in text.split(".")):
        return ""
    return f"`{_cut(text)}` is not a module path"


def check_text(text: str) -> str:
    return "" if _TEXT.fullmatch(text) else f"the string `{_cut(text)}` holds quotes or newlines"


def check_expression(text: str) -> str:
    """Check arithmetic on integers and size symbols, as sympy's `srepr` prints it."""
    return _check_tree(text, _in_expression)


def check_guard(text: str) -> str:
    """Check a comparison of the inputs' sizes: `L['x'].size()[0] <= 8`."""
    return _check_tree(text, _in_guard)


def check_operator(text: str) -> str:
    if match := _OPERATOR.fullmatch(text):
        return _check_aten(match[1], match[2])
    if match := _SYMBOLIC_OPERATORS.fullmatch(text):
        return "" if match[1] in {None, *_PYTHON_OPERATORS} else f"it calls `{_cut(text)}`"
    if text in _HIGHER_ORDER:
        return ""
    return f"it calls `{_cut(text)}`, which is not an aten operator"


def check_tree(text: str) -> str:
    """Check the nesting of inputs and outputs: tuples, lists and dicts with plain keys."""
    try:
        tree = json.loads(text) if text else [1, _LEAF]
    except ValueError:
        return f"`{_cut(text)}` does not describe a nesting of tensors"
    if not isinstance(tree, list) or len(tree) != 2 or tree[0] != 1:
        return f"`{_cut(text)}` does not describe a nesting of tensors"
    return _check_nesting(tree[1])


_LEAF = {"type": None, "context": None, "children_spec": []}


def _check_nesting(node: object) -> str:
    if not isinstance(node, dict) or set(node) != set(_LEAF):
        return f"`{_cut(str(node))}` does not describe a nesting of tensors"
    kind, context, children = node["type"], node["context"], node["children_spec"]
    if kind is not None and kind not in _CONTAINERS:
        return f"its inputs or outputs are held in a `{_cut(str(kind))}`"
    if not _plain_keys(context):
        return f"`{_cut(str(context))}` are not the keys of a dict"
    if not isinstance(children, list):
        return f"`{_cut(str(children))}` does not describe a nesting of tensors"
    return next(filter(None, map(_check_nesting, children)), "")


def _plain_keys(context: object) -> bool:
    try:
        keys = json.loads(context) if isinstance(context, str) else context
    except ValueError:
        return False
    if not isinstance(keys, list):
        return keys is None
    return all(isinstance(k, int) or (isinstance(k, str) and not check_path(k)) for k in keys)


def _check_aten(name: str, overload: str) -> str:
    packet = getattr(torch.ops.aten, name, None)
    op = getattr(packet, overload, None)
    if not isinstance(op, torch._ops.OpOverload):
        return f"this torch has no operator aten.{name}.{overload}"
    for argument in op._schema.arguments:
        if "str" in str(argument.type) and argument.name not in _STRING_ARGUMENTS:
            return f"it calls aten.{name}, which takes a string (`{argument.name}`)"
    return ""


def _check_tree(text: str, allowed: Callable[[ast.AST], bool]) -> str:
    if len(text) > _LONGEST:
        return f"an expression of {len(text)} characters"
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return f"`{_cut(text)}` is not an expression"
    if all(map(allowed, ast.walk(tree))):
        return ""
    return f"`{_cut(text)}` is more than arithmetic on sizes"


def _in_expression(node: ast.AST) -> bool:
    match node:
        case ast.Constant():
            return _is_plain_constant(node.value)
        case ast.Name():
            return node.id in _SYMPY or bool(_SYMBOL.fullmatch(node.id))
        case ast.Call():
            return _is_plain_call(node)
        case ast.BinOp() if isinstance(node.op, _GROWING):
            return _grows_little(node.left, node.right)
        case ast.keyword():
            return _is_small_constant(node.value, _LARGEST_OPTION)
        case _:
            return isinstance(node, _ARITHMETIC)


def _is_plain_call(node: ast.Call) -> bool:
    called = node.func
    if not isinstance(called, ast.Name) or called.id not in _SYMPY:
        return False
    if called.id in _GROWING_CALLS:
        return len(node.args) == 2 and not node.keywords and _grows_little(*node.args)
    return called.id != "Float" or len(node.args) == 1


def _grows_little(base: ast.expr, exponent: ast.expr) -> bool:
    """Check for a small literal power of a base without powers: towers keep sympy busy for ever."""
    return _is_small(exponent) and not any(map(_is_growing, ast.walk(base)))


def _is_growing(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in _GROWING_CALLS
    return isinstance(node, _GROWING)


def _in_guard(node: ast.AST) -> bool:
    match node:
        case ast.Subscript():
            return True  # its operands are checked when they are visited
        case ast.Attribute():
            return node.attr in _GUARD_METHODS
        case ast.Call(func=ast.Attribute()):
            return not node.args and not node.keywords
        case ast.Constant(value=str() as key):
            return not check_path(key)  # of an input
        case ast.Name():
            return node.id == "L" or _in_expression(node)
        case _:
            return _in_expression(node)


def _is_plain_constant(value: object) -> bool:
    if isinstance(value, str):
        return bool(_LITERAL.fullmatch(value))
    return isinstance(value, bool | int | float) and abs(value) < 2**64


def _is_small_constant(node: ast.expr, largest: int) -> bool:
    value = node.value if isinstance(node, ast.Constant) else None
    return isinstance(value, bool | int | float) and abs(value) <= largest


def _is_small(exponent: ast.expr) -> bool:
    """Check for a small literal, as it is, negated, or as `Integer(2)`."""
    match exponent:
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return _is_small(inner)
        case ast.Call(func=ast.Name(id="Integer"), args=[inner], keywords=[]):
            return _is_small(inner)
        case _:
            return _is_small_constant(exponent, _LARGEST_POWER)


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
