"""Patterns of one call, and typed views of calls."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.fx.node import Node

from edgevit.graph.aten import kind
from edgevit.graph.calls import Attention, Conv, Linear, Matmul, Norm, Softmax, weighted
from edgevit.graph.edit import Draft
from edgevit.graph.pattern import PRESENT, call, has_rank, one_of, other_than
from edgevit.graph.program import shape
from tests.rewrites.checking import Call, program_for

F = nn.functional
X = torch.randn(2, 4, 6, 6)


def draft_of(net: nn.Module, x: torch.Tensor = X) -> Draft:
    return Draft(program_for(net, x))


def the(name: str, draft: Draft) -> Node:
    (node,) = (node for node in draft.graph.nodes if kind(node) == name)
    return node


def node_of(function: Callable[[torch.Tensor], torch.Tensor], name: str) -> Node:
    return the(name, draft_of(Call(lambda _, x: function(x))))


def test_a_name_stands_for_all_overloads_and_a_full_name_for_one() -> None:
    node = node_of(lambda x: x + 1, "add")
    assert call("add").matches(node)
    assert call("add.Tensor").matches(node)
    assert not call("add.Scalar").matches(node)
    assert not call("sub").matches(node)


@pytest.mark.parametrize(
    ("arguments", "matches"),
    [
        ({"approximate": "tanh"}, True),
        ({"approximate": "none"}, False),
        ({"approximate": one_of("none", "tanh")}, True),
        ({"approximate": other_than("tanh")}, False),
        ({"approximate": PRESENT}, True),
        ({"beta": 1}, False),  # the operator has no such argument
    ],
)
def test_arguments_have_values_or_conditions(arguments: dict[str, object], matches: bool) -> None:
    node = node_of(lambda x: F.gelu(x, approximate="tanh"), "gelu")
    assert call("gelu", **arguments).matches(node) is matches


def test_an_argument_that_a_call_leaves_out_has_its_default() -> None:
    node = node_of(F.gelu, "gelu")
    assert call("gelu", approximate="none").matches(node)


def test_where_is_asked_last_and_only_of_calls_that_match() -> None:
    node = node_of(lambda x: x.softmax(-1), "softmax")
    assert call("softmax", where=has_rank(4)).matches(node)
    assert not call("softmax", where=has_rank(3)).matches(node)
    assert not call("gelu", where=lambda _: pytest.fail("asked")).matches(node)


def test_one_of_several_patterns_is_enough() -> None:
    either = call("gelu") | call("softmax", dim=0)
    assert either.matches(node_of(F.gelu, "gelu"))
    assert not either.matches(node_of(lambda x: x.softmax(1), "softmax"))


def test_a_linear_and_a_convolution_have_their_channels_where_torch_has_them() -> None:
    draft = draft_of(nn.Sequential(nn.Conv2d(4, 8, 3, stride=2, groups=2), nn.Linear(2, 5)))
    conv, linear = Conv.of(the("conv2d", draft)), Linear.of(the("linear", draft))
    assert conv is not None
    assert linear is not None
    assert (conv.channel_axis, conv.groups, conv.window, conv.stride) == (1, 2, (3, 3), (2, 2))
    assert (linear.channel_axis, shape(linear.weight)) == (3, (5, 2))
    assert linear.input is conv.node
    assert conv.is_constant(draft)
    assert weighted(conv.node) == conv
    assert Linear.of(conv.node) is None


def test_a_norm_without_parameters_has_none() -> None:
    draft = draft_of(
        nn.Sequential(nn.GroupNorm(2, 4), nn.LayerNorm([6, 6], elementwise_affine=False))
    )
    group, layer = Norm.of(the("group_norm", draft)), Norm.of(the("layer_norm", draft))
    assert group is not None
    assert layer is not None
    assert (group.groups, len(group.parameters), layer.parameters) == (2, 2, ())
    assert (layer.normalized_shape, layer.eps) == ((6, 6), 1e-5)
    assert layer.is_constant(draft)


def test_axes_are_counted_from_the_first() -> None:
    softmax = Softmax.of(node_of(lambda x: x.softmax(-3), "softmax"))
    assert softmax is not None
    assert softmax.axis == 1


def test_a_product_and_an_attention_name_their_operands() -> None:
    product = Matmul.of(node_of(lambda x: x @ x.transpose(-1, -2), "matmul"))
    assert product is not None
    assert kind(product.right) == "transpose"
    attention = Attention.of(
        node_of(
            lambda x: F.scaled_dot_product_attention(x, x.relu(), x.tanh(), scale=0.5),
            "scaled_dot_product_attention",
        )
    )
    assert attention is not None
    assert [kind(n) for n in (attention.key, attention.value)] == ["relu", "tanh"]
    assert (attention.mask, attention.scale, attention.is_causal) == (None, 0.5, False)
