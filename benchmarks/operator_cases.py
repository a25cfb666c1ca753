"""Cases of PyTorch's own operator database (`op_db`), each as a small module with its inputs.

Of each operator: a float32 sample whose tensors are all inputs, one whose later tensors are
constants, and one of integers or booleans, where the operator takes them.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch.utils import _pytree as pytree

from edgevit.frontend.torchvision_ops import make_torchvision_importable

make_torchvision_importable()  # the database imports it

from torch.testing._internal.common_methods_invocations import op_db  # noqa: E402

LEFT_OUT = {
    "random numbers": (
        "bernoulli", "cauchy", "exponential", "geometric", "log_normal", "normal", "uniform",
        "multinomial", "rand", "nn.functional.rrelu", "nn.functional.fractional_max_pool",
        "nn.functional.alpha_dropout", "nn.functional.feature_alpha_dropout", "nn.functional.dropout",
        "svd_lowrank", "pca_lowrank",
    ),
    "memory without values": ("empty", "new_empty", "resize_"),
    "training": ("_softmax_backward", "native_dropout_backward", "max_pool2d_with_indices_backward"),
    "another layout or machine": ("sparse.", "to_sparse", "jiterator", "torch._scaled", "chalf"),
    "float64 or complex numbers by name": ("double", "cdouble", "cfloat", "complex", "view_as_complex"),
}  # fmt: skip
SEEDS = (0, 1)  # of the example, and of fresh values of the same shapes
SCALE = 2.5  # of the fresh floating-point values
_MOST = 1 << 15  # elements of a tensor
_SAMPLES = 400  # of an operator, among which cases are chosen


@dataclass(frozen=True)
class Case:
    """One sample of an operator, ready to export."""

    name: str  # "topk-float32-inputs"
    operator: str
    module: torch.nn.Module
    example: tuple[torch.Tensor, ...]
    fresh: tuple[tuple[torch.Tensor, ...], ...]  # other values of the same shapes


class Call(torch.nn.Module):
    """A call of an operator: tensors marked as inputs are arguments of forward, others constants."""

    def __init__(
        self, op: Any, leaves: Sequence[Any], spec: pytree.TreeSpec, inputs: Sequence[int]
    ):
        super().__init__()
        self.op, self.spec, self.places = op, spec, tuple(inputs)
        self.fixed = [None if k in inputs else leaf for k, leaf in enumerate(leaves)]
        for k, leaf in enumerate(self.fixed):
            if isinstance(leaf, torch.Tensor):
                self.register_buffer(f"constant_{k}", leaf)
                self.fixed[k] = None

    def forward(self, *tensors: torch.Tensor) -> Any:
        leaves = [getattr(self, f"constant_{k}", leaf) for k, leaf in enumerate(self.fixed)]
        for k, tensor in zip(self.places, tensors, strict=True):
            leaves[k] = tensor
        first, args, kwargs = pytree.tree_unflatten(leaves, self.spec)
        return self.op(first, *args, **kwargs)


def operators() -> list[Any]:
    """Return the operators of the database that a vision net may call in inference."""
    left_out = tuple(prefix for names in LEFT_OUT.values() for prefix in names)
    return [
        op for op in op_db if not op.name.startswith(left_out) or op.name.startswith("normalize")
    ]


def cases_of(op: Any) -> Iterator[Case]:
    """Yield the cases of one operator."""
    floats = _usable(op, torch.float32)
    chosen = [(sample, "float32") for sample in _chosen(floats, 2)]
    integer = next((d for d in (torch.int64, torch.int32, torch.bool) if d in op.dtypes), None)
    if integer is not None:
        chosen += [
            (sample, str(integer).split(".")[1]) for sample in _chosen(_usable(op, integer), 1)
        ]
    for number, ((index, dtype), text) in enumerate(chosen):
        if (case := _case(op, index, dtype, text, constant=number == 1)) is not None:
            yield case


def _usable(op: Any, dtype: torch.dtype) -> list[tuple[tuple[int, torch.dtype], Any]]:
    if dtype not in op.dtypes:
        return []
    samples = _samples(op, dtype, SEEDS[0])
    return [((k, dtype), sample) for k, sample in enumerate(samples) if _fits(op, sample)]


def _samples(op: Any, dtype: torch.dtype, seed: int) -> list[Any]:
    torch.manual_seed(seed)
    random.seed(seed)
    return list(islice(op.sample_inputs("cpu", dtype, requires_grad=False), _SAMPLES))


def _fits(op: Any, sample: Any) -> bool:
    tensors = _tensors(pytree.tree_leaves((sample.input, sample.args, sample.kwargs)))
    if not tensors or not all(_is_plain(x) for x in tensors):
        return False
    try:
        outputs = _tensors(pytree.tree_leaves(op(sample.input, *sample.args, **sample.kwargs)))
    except Exception:  # samples of errors are among them
        return False
    return bool(outputs) and all(x.numel() and x.layout == torch.strided for x in outputs)


def _is_plain(x: torch.Tensor) -> bool:
    plain = type(x) is torch.Tensor and x.layout == torch.strided and not x.is_complex()
    return plain and 0 < x.numel() <= _MOST and x.dtype != torch.float64


def _tensors(leaves: Iterable[Any]) -> list[torch.Tensor]:
    return [x for x in leaves if isinstance(x, torch.Tensor)]


def _chosen(samples: Sequence[tuple[Any, Any]], most: int) -> list[Any]:
    """Return the keys of samples of different ranks and arguments: those of most elements first."""
    kinds: dict[str, tuple[int, Any]] = {}
    for key, sample in samples:
        leaves = pytree.tree_leaves((sample.input, sample.args, sample.kwargs))
        ranks = [x.ndim if isinstance(x, torch.Tensor) else x for x in leaves]
        size = max(x.numel() for x in _tensors(leaves))
        if repr(ranks) not in kinds or kinds[repr(ranks)][0] < size:
            kinds[repr(ranks)] = (size, key)
    by_size = [key for _, key in sorted(kinds.values(), key=lambda kind: -kind[0])]
    return by_size[:: max(1, len(by_size) // most)][:most]


def _case(op: Any, index: int, dtype: torch.dtype, text: str, constant: bool) -> Case | None:
    drawn = [_samples(op, dtype, seed)[index] for seed in SEEDS]
    flat = [pytree.tree_flatten((s.input, s.args, s.kwargs)) for s in drawn]
    leaves, spec = flat[0]
    places = [k for k, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)]
    inputs = places[:1] if constant else places
    if constant and len(places) == 1 and dtype.is_floating_point:
        constant = False
    module = Call(op.op, leaves, spec, inputs).eval()
    example = tuple(leaves[k].clone() for k in inputs)
    operator = ".".join(filter(None, (op.name, op.variant_test_name)))
    name = "-".join((operator, text, "constants" if constant else "inputs", str(index)))
    return Case(name, operator, module, example, tuple(_fresh(module, flat[1], inputs, example)))


def _alike(x: Any, y: torch.Tensor) -> bool:
    return isinstance(x, torch.Tensor) and x.shape == y.shape and x.dtype == y.dtype


def _fresh(
    module: Call,
    flat: tuple[list[Any], pytree.TreeSpec],
    inputs: Sequence[int],
    example: Sequence[torch.Tensor],
) -> Iterator[tuple[torch.Tensor, ...]]:
    """Yield values of another seed, and the same at another scale, where the operator takes them."""
    leaves, _ = flat
    drawn = [
        leaf
        if (leaf := leaves[k] if k < len(leaves) else None) is not None and _alike(leaf, x)
        else x.flip(tuple(range(x.ndim)))
        for k, x in zip(inputs, example, strict=True)
    ]
    scaled = [x * SCALE if x.is_floating_point() else x for x in drawn]
    for inputs_ in (drawn, scaled):
        try:
            module(*(x.clone() for x in inputs_))
        except Exception:
            continue
        yield tuple(x.clone().contiguous() for x in inputs_)
