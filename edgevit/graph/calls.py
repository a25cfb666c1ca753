"""Typed views of the calls that many stages read: `Linear.of(node)` has its input, weight, bias.

A view reads the call once, by the names of its schema. `of` returns None for another call.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch.fx.node import Node

from edgevit.graph.aten import (
    argument,
    integer,
    kind,
    node_argument,
    operand,
    optional_node,
    per_dimension,
)
from edgevit.graph.edit import Draft
from edgevit.graph.program import shape

ATTENTION = "scaled_dot_product_attention"
CONVOLUTIONS = frozenset({"conv1d", "conv2d", "conv3d"})
SOFTMAXES = frozenset({"softmax", "_softmax"})
MATMULS = frozenset({"matmul", "mm", "bmm"})
NORMS = frozenset({"layer_norm", "group_norm", "instance_norm", "batch_norm"})


@dataclass(frozen=True)
class Affine:
    """Call with a weight and a bias, either of which may be absent in a norm."""

    node: Node
    input: Node
    weight: Node | None
    bias: Node | None

    @property
    def parameters(self) -> tuple[Node, ...]:
        """Weight and bias, without those that are absent."""
        return tuple(one for one in (self.weight, self.bias) if one is not None)

    def is_constant(self, draft: Draft) -> bool:
        """Check that weight and bias are constants, as far as the call has them."""
        return all(map(draft.is_constant, self.parameters))


@dataclass(frozen=True)
class Linear(Affine):
    weight: Node

    @classmethod
    def of(cls, node: Node) -> Linear | None:
        if kind(node) != "linear":
            return None
        return cls(node, operand(node), node_argument(node, "weight"), optional_node(node, "bias"))

    @property
    def channel_axis(self) -> int:
        """Axis of the result that the output channels run along."""
        return len(shape(self.node)) - 1


@dataclass(frozen=True)
class Conv(Affine):
    """Convolution over one, two or three axes; transposed ones are none of these."""

    weight: Node
    groups: int

    @classmethod
    def of(cls, node: Node) -> Conv | None:
        if kind(node) not in CONVOLUTIONS:
            return None
        weight, bias = node_argument(node, "weight"), optional_node(node, "bias")
        return cls(node, operand(node), weight, bias, argument(node, "groups"))

    @property
    def channel_axis(self) -> int:
        """Axis of the result that the output channels run along."""
        return 1

    @property
    def window(self) -> tuple[int, ...]:
        return shape(self.weight)[2:]

    @property
    def stride(self) -> tuple[int, ...]:
        return per_dimension(argument(self.node, "stride"), len(self.window))

    @property
    def dilation(self) -> tuple[int, ...]:
        return per_dimension(argument(self.node, "dilation"), len(self.window))


Weighted = Linear | Conv


def weighted_at(node: Node) -> Weighted:
    """Return the view of a call that matched as a linear or a convolution."""
    view = weighted(node)
    assert view is not None
    return view


def weighted(node: Node) -> Weighted | None:
    """Return the view of a linear or a convolution."""
    return Linear.of(node) or Conv.of(node)


@dataclass(frozen=True)
class Norm(Affine):
    """Layer norm, group norm, instance norm or batch norm."""

    kind: str
    eps: float

    @classmethod
    def at(cls, node: Node) -> Norm:
        """Return the view of a call that matched as a norm."""
        norm = cls.of(node)
        assert norm is not None
        return norm

    @classmethod
    def of(cls, node: Node) -> Norm | None:
        if kind(node) not in NORMS:
            return None
        weight, bias = optional_node(node, "weight"), optional_node(node, "bias")
        return cls(node, operand(node), weight, bias, kind(node), argument(node, "eps"))

    @property
    def normalized_shape(self) -> tuple[int, ...]:
        """Sizes of the last axes, which a layer norm goes over."""
        return tuple(argument(self.node, "normalized_shape"))

    @property
    def groups(self) -> int:
        """Groups of channels along axis 1; one a channel for instance norms and batch norms."""
        by_group = self.kind == "group_norm"
        return argument(self.node, "num_groups") if by_group else shape(self.node)[1]


@dataclass(frozen=True)
class Softmax:
    node: Node
    input: Node
    axis: int  # counted from the first

    @classmethod
    def of(cls, node: Node) -> Softmax | None:
        if kind(node) not in SOFTMAXES or not shape(node):
            return None
        return cls(node, operand(node), integer(node, "dim") % len(shape(node)))


@dataclass(frozen=True)
class Matmul:
    """Product of two matrices or stacks of them."""

    node: Node
    left: Node
    right: Node

    @classmethod
    def of(cls, node: Node) -> Matmul | None:
        return cls(node, operand(node), operand(node, 1)) if kind(node) in MATMULS else None


@dataclass(frozen=True)
class Attention:
    node: Node
    query: Node
    key: Node
    value: Node
    mask: Node | None
    dropout: float
    is_causal: bool
    scale: float | None
    groups_queries: bool  # groups of query heads may share a key

    @classmethod
    def at(cls, node: Node) -> Attention:
        """Return the view of a call that matched as an attention."""
        attention = cls.of(node)
        assert attention is not None
        return attention

    @classmethod
    def of(cls, node: Node) -> Attention | None:
        if kind(node) != ATTENTION:
            return None
        query, key, value = (node_argument(node, name) for name in ("query", "key", "value"))
        options = (argument(node, n) for n in ("dropout_p", "is_causal", "scale", "enable_gqa"))
        return cls(node, query, key, value, optional_node(node, "attn_mask"), *options)
