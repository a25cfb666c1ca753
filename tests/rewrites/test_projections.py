"""The rules around projections: packed ones split, scales and norms folded in, the bias of keys left out."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgevit.graph.aten import argument, kind
from edgevit.graph.parity import distance
from edgevit.graph.program import shape
from edgevit.rewrites.attention.drop_key_bias import DropKeyBias
from edgevit.rewrites.attention.scale_projection import ScaleProjection
from edgevit.rewrites.attention.split_projection import SplitProjection
from edgevit.rewrites.engine import apply
from edgevit.rewrites.layout.name_views import NameViews
from edgevit.rewrites.norms.expand_norm import ExpandNorm
from edgevit.rewrites.norms.fold_norm_affine import FoldNormAffine
from edgevit.rewrites.rule import AnyRule
from tests.rewrites.checking import Call, check_rewrite, kinds, program_for

attention = nn.functional.scaled_dot_product_attention


class Named(nn.Module):
    """A net whose views have their three names already, as the rules here expect."""

    def __init__(self, function, **layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(self, *inputs)


# Four ways to unpack q, k and v of 2 heads of 3 channels, of 5 tokens.
UNPACKED = {
    "stacked": lambda y: y.reshape(1, 5, 3, 2, 3).permute(2, 0, 3, 1, 4),
    "by_head": lambda y: y.reshape(1, 5, 2, 9).permute(0, 2, 1, 3),
    "in_place": lambda y: y.reshape(1, 5, 2, 9),
    "flat": lambda y: y,
}
SLICED = {
    "stacked": lambda y: (y[0:1], y[1:2], y[2:3]),
    "by_head": lambda y: (y[..., :3], y[..., 3:6], y[..., 6:]),
    "in_place": lambda y: (y[..., :3], y[..., 3:6], y[..., 6:]),
    "flat": lambda y: (y[..., :6], y[..., 6:12], y[..., 12:]),
}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", UNPACKED)
def test_a_packed_projection_is_split(name: str, bias: bool) -> None:
    def function(s: nn.Module, x: torch.Tensor) -> torch.Tensor:
        q, k, v = SLICED[name](UNPACKED[name](s.qkv(x)))
        return q * 2 + k.sin() + v.cos()

    net = Named(function, qkv=nn.Linear(7, 18, bias=bias))
    after = check_rewrite(SplitProjection(), net, torch.randn(1, 5, 7), fires=3)
    linears = [node for node in after.calls() if kind(node) == "linear"]
    assert [shape(node)[-1] for node in linears] == [6, 6, 6]
    assert "slice" not in kinds(after)


def test_a_packed_convolution_is_split() -> None:
    def function(s: nn.Module, x: torch.Tensor) -> torch.Tensor:
        y = s.qkv(x)
        return y[:, :2].sum() + y[:, 2:]

    net = Named(function, qkv=nn.Conv2d(4, 5, 1))
    check_rewrite(SplitProjection(), net, torch.randn(2, 4, 3, 3), fires=2)


def test_a_slice_may_begin_before_the_start_but_not_be_empty() -> None:
    net = Named(lambda s, x: (y := s.qkv(x))[:, -9:2].sum() + y[:, -3:], qkv=nn.Conv2d(4, 5, 1))
    check_rewrite(SplitProjection(), net, torch.randn(1, 4, 3, 3), fires=2)
    net = Named(lambda s, x: (y := s.qkv(x))[:, 9:].sum() + y[:, :2], qkv=nn.Conv2d(4, 5, 1))
    check_rewrite(SplitProjection(), net, torch.randn(1, 4, 3, 3), refuses="takes no channels")


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda s, x: (y := s.qkv(x))[..., :12].sum() + y[..., 6:], "twice"),
        (lambda s, x: (y := s.qkv(x))[..., :12].sum() + y, "as a whole"),
    ],
)
def test_a_projection_that_is_read_otherwise_stays(function, why: str) -> None:
    net = Named(function, qkv=nn.Linear(7, 18))
    check_rewrite(SplitProjection(), net, torch.randn(1, 5, 7), refuses=why)


@pytest.mark.parametrize("name", UNPACKED)
def test_parts_that_a_kernel_would_pad_stay(name: str) -> None:
    def function(s: nn.Module, x: torch.Tensor) -> torch.Tensor:
        q, k, v = SLICED[name](UNPACKED[name](s.qkv(x)))
        return q * 2 + k.sin() + v.cos()

    net, x = Named(function, qkv=nn.Linear(7, 18)), torch.randn(1, 5, 7)
    check_rewrite(SplitProjection(least=6), net, x, fires=3)
    check_rewrite(SplitProjection(least=7), net, x, refuses="a part of 6 channels")


def test_slices_of_tokens_and_padded_convolutions_stay() -> None:
    net = Named(lambda s, x: s.qkv(x)[:, :2], qkv=nn.Linear(7, 18))
    check_rewrite(SplitProjection(), net, torch.randn(1, 5, 7), fires=0)
    net = Named(lambda s, x: s.qkv(x)[:, :2], qkv=nn.Conv2d(4, 5, 1, padding=1))
    check_rewrite(SplitProjection(), net, torch.randn(1, 4, 3, 3), fires=0)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(4)), st.integers(1, 3), st.integers(1, 3), st.data())
def test_whatever_is_sliced_is_the_same(
    permutation: list[int], heads: int, width: int, data: st.DataObject
) -> None:
    """Any permute of (batch, token, head, channel), cut anywhere: split exactly or left as it is."""
    axis = data.draw(st.integers(0, 3))
    sizes = [(2, 3, heads, width)[a] for a in permutation]
    cut = data.draw(st.integers(0, sizes[axis]))

    def function(s: nn.Module, x: torch.Tensor) -> torch.Tensor:
        y = s.qkv(x).reshape(2, 3, heads, width).permute(permutation)
        return y.narrow(axis, 0, cut).sum() + y.narrow(axis, cut, sizes[axis] - cut).sum()

    net = Named(function, qkv=nn.Linear(4, heads * width))
    before = apply(NameViews(), program_for(net, torch.randn(2, 3, 4)))[0]
    after = apply(SplitProjection(), before)[0]
    torch.testing.assert_close(before.run()[0], after.run()[0])


def scores(s: nn.Module, x: torch.Tensor) -> torch.Tensor:
    q = s.q(x).reshape(1, 5, 2, 3).permute(0, 2, 1, 3)
    return torch.matmul(q, x.reshape(1, 1, 5, 6)[..., :3].permute(0, 1, 3, 2)) * 0.25


def test_the_scale_of_the_scores_goes_into_the_queries() -> None:
    net = Named(scores, q=nn.Linear(6, 6))
    after = check_rewrite(ScaleProjection(), net, torch.randn(1, 5, 6), fires=1)
    assert "mul" not in kinds(after)


@pytest.mark.parametrize(
    "function",
    [
        lambda s, x: (y := s.q(x)) * 0.5 + y,  # read twice
        lambda s, x: torch.softmax(s.q(x), -1) * 0.5,  # a softmax lets no number through
        lambda s, x: s.q(x) * x,
    ],
)
def test_other_scales_stay(function) -> None:
    net = Named(function, q=nn.Linear(6, 6))
    check_rewrite(ScaleProjection(), net, torch.randn(1, 5, 6), fires=0)


def heads(y: torch.Tensor) -> torch.Tensor:
    return y.reshape(1, 5, 2, 3).permute(0, 2, 1, 3)


def test_the_bias_of_keys_is_dropped() -> None:
    net = Named(
        lambda s, x: attention(heads(s.q(x)), heads(s.k(x)), heads(s.v(x))),
        q=nn.Linear(6, 6), k=nn.Linear(6, 6), v=nn.Linear(6, 6),
    )  # fmt: skip
    after = check_rewrite(DropKeyBias(), net, torch.randn(1, 5, 6), fires=1)
    assert [argument(n, "bias") is None for n in after.calls() if kind(n) == "linear"] == [False, True, False]  # fmt: skip


def test_the_bias_of_keys_that_are_read_otherwise_stays() -> None:
    net = Named(lambda s, x: attention(x, s.k(x), s.k(x)), k=nn.Linear(6, 6))
    check_rewrite(DropKeyBias(), net, torch.randn(1, 2, 5, 6), fires=1)  # two calls, two keys
    net = Named(lambda s, x: attention(x, (y := s.k(x)), y), k=nn.Linear(6, 6))
    check_rewrite(DropKeyBias(), net, torch.randn(1, 2, 5, 6), fires=0)


def test_keys_that_mix_channels_and_tokens_keep_their_bias() -> None:
    net = Named(lambda s, x: attention(x, s.k(x).reshape(1, 6, 5).permute(0, 2, 1), x), k=nn.Linear(6, 6))  # fmt: skip
    check_rewrite(DropKeyBias(), net, torch.randn(1, 5, 6), refuses="mix channels and keys")


def norm(layer: nn.Module) -> nn.Module:
    for held in layer.parameters():
        nn.init.uniform_(held, 0.5, 1.5)
    return layer


@pytest.mark.parametrize(
    ("function", "layers", "sizes", "fires"),
    [
        (lambda s, x: s.f(s.n(x)) + s.g(s.n(x)), {"f": nn.Linear(6, 4), "g": nn.Linear(6, 4)}, (2, 5, 6), 2),
        (lambda s, x: s.f(y := s.n(x)) + s.g(y), {"f": nn.Linear(6, 4), "g": nn.Linear(6, 4, False)}, (2, 5, 6), 1),
        (lambda s, x: s.f(s.n(x).roll((1, 2), (1, 2)).reshape(4, 3, 6)), {"f": nn.Linear(6, 4)}, (2, 2, 3, 6), 1),
        (lambda s, x: s.f(s.n(x)[:, 0]), {"f": nn.Linear(6, 4)}, (2, 5, 6), 1),
        (lambda s, x: s.f(s.n(x).permute(0, 3, 1, 2)), {"f": nn.Conv2d(6, 4, 2, 2)}, (2, 4, 4, 6), 1),
    ],
)  # fmt: skip
def test_a_layer_norm_gives_its_affine_away(
    function, layers: dict[str, nn.Module], sizes: tuple[int, ...], fires: int
) -> None:
    net = Named(function, n=norm(nn.LayerNorm(6)), **layers)
    after = check_rewrite(FoldNormAffine(), net, torch.randn(sizes), fires=fires)
    norms = [node for node in after.calls() if kind(node) == "layer_norm"]
    assert all(argument(node, "weight") is None for node in norms)


def test_a_group_norm_gives_its_affine_away() -> None:
    net = Named(lambda s, x: s.f(s.n(x)), n=norm(nn.GroupNorm(2, 6)), f=nn.Conv2d(6, 4, 1))
    check_rewrite(FoldNormAffine(), net, torch.randn(2, 6, 3, 3), fires=1)


@pytest.mark.parametrize(
    ("function", "layers", "why"),
    [
        (lambda s, x: s.f(y := s.n(x)) + y, {"f": nn.Linear(6, 6)}, "`add` reads it too"),
        (lambda s, x: s.f(s.n(x).permute(0, 3, 1, 2)), {"f": nn.Conv2d(6, 4, 3, padding=1)}, "pads with zeros"),
    ],
)  # fmt: skip
def test_an_affine_that_others_need_stays(function, layers, why: str) -> None:
    net = Named(function, n=norm(nn.LayerNorm(6)), **layers)
    check_rewrite(FoldNormAffine(), net, torch.randn(2, 4, 4, 6), refuses=why)


@pytest.mark.parametrize(
    ("layer", "sizes"),
    [
        (nn.LayerNorm(6), (2, 5, 6)),
        (nn.LayerNorm(6, elementwise_affine=False), (5, 6)),
        (nn.LayerNorm(6, eps=1e-2, bias=False), (2, 3, 4, 6)),
        (nn.LayerNorm((5, 6)), (2, 4, 5, 6)),
        (nn.LayerNorm((3, 5, 6), elementwise_affine=False), (2, 3, 5, 6)),
        (nn.GroupNorm(1, 6), (2, 6, 4, 5)),
        (nn.GroupNorm(3, 6, eps=1e-2), (2, 6, 4, 5)),
        (nn.GroupNorm(6, 6, affine=False), (1, 6, 4, 5)),
    ],
)
def test_norms_in_steps(layer: nn.Module, sizes: tuple[int, ...]) -> None:
    x = torch.randn(sizes) * 3 + 2
    after = check_rewrite(ExpandNorm(), norm(layer), x, fires=1)
    assert not {"layer_norm", "group_norm"} & set(kinds(after))


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_norms_in_steps_do_not_cancel(offset: float) -> None:
    """In float32, of values far from zero."""
    x = torch.randn(4, 64) + offset
    before = program_for(nn.LayerNorm(64), x)
    after = apply(ExpandNorm(), before)[0]
    torch.testing.assert_close(after.run()[0], before.run()[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norms_of_the_batch_in_steps(images: int, affine: bool) -> None:
    weight = torch.rand(6) + 0.5 if affine else None
    net = Call(lambda s, x: nn.functional.batch_norm(x, None, None, weight, weight, training=True))
    after = check_rewrite(ExpandNorm(), net, torch.randn(images, 6, 4, 5) * 3 + 2, fires=1)
    assert "batch_norm" not in kinds(after)


@pytest.mark.parametrize(
    "layer",
    [nn.InstanceNorm2d(6), nn.GroupNorm(3, 6), nn.LayerNorm((6, 6)), nn.LayerNorm((6, 6, 6))],
    ids=str,
)
def test_a_norm_takes_off_what_is_never_added(layer: nn.Module) -> None:
    """Nearer to the exact result than the model's own float32."""
    net = nn.Sequential(nn.Conv2d(3, 6, 3), layer)
    nn.init.constant_(net[0].bias, 300.0)  # type: ignore[arg-type]
    before = program_for(net, torch.randn(1, 3, 8, 8))
    after, fired, _ = apply(ExpandNorm(), before)
    assert fired
    exact = before.in_float64().run()
    assert distance(exact, after.run()).rel_l2 < 1e-6 < distance(exact, before.run()).rel_l2


def test_norms_of_other_ranks_stay() -> None:
    check_rewrite(ExpandNorm(), nn.GroupNorm(2, 6), torch.randn(2, 6, 4), fires=0)


def test_norms_in_half_precision_stay() -> None:
    net = Call(lambda s, x: nn.functional.layer_norm(x.half(), (6,)).float())
    rule: AnyRule = ExpandNorm()
    _, fired, refused = apply(rule, program_for(net, torch.randn(2, 6)))
    assert not fired
    assert "float32" in refused[0].why
