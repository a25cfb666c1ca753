"""The lossy options on attention: heads that share a map, tokens that are merged."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgevit.errors import UsageError
from edgevit.graph.aten import kind, op
from edgevit.graph.program import Program, shape
from edgevit.rewrites.lossy.parser import parse_lossy
from edgevit.rewrites.lossy.run import apply_lossy
from tests.rewrites.checking import Call, program_for
from tests.rewrites.test_lossy import after, moved
from tests.rewrites.token_nets import (
    Tokens,
    attention,
    first,
    fuse_the_rest,
    mean,
    merge_one_by_one,
)

# How q, k or v of 4 heads of 3 channels come out of what a projection makes of 6 tokens.
UNPACKED: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "linear": lambda y: y.reshape(2, 6, 4, 3).transpose(1, 2),
    "widest first": lambda y: y.reshape(2, 6, 3, 4).permute(0, 3, 1, 2),
}


class Heads(nn.Module):
    """An attention of four heads from projections of their own, the maps of heads 1 and 3 the same."""

    def __init__(self, unpack: Callable[[torch.Tensor], torch.Tensor], **how: object) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.unpack, self.how = unpack, how
        self.q, self.k, self.v = (nn.Linear(12, 12) for _ in range(3))
        channels = unpack(torch.arange(12).expand(2, 6, 12))[0, :, 0]
        with torch.no_grad():
            for layer in (self.q, self.k):
                layer.weight.mul_(4)
                for held in (layer.weight, layer.bias):
                    held[channels[3]] = held[channels[1]]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return attention(*(self.unpack(one(x)) for one in (self.q, self.k, self.v)), **self.how)


def maps(program: Program) -> list[int]:
    """How many maps each attention has."""
    found = [node for node in program.calls() if op(node) == "scaled_dot_product_attention"]
    return [shape(node)[1] for node in found]


@pytest.mark.parametrize("spelling", UNPACKED)
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"scale": 0.7},
        {"is_causal": True},
        {"attn_mask": torch.linspace(-3, 3, 36).reshape(6, 6)},
        {"attn_mask": torch.linspace(-3, 3, 36).reshape(1, 1, 6, 6).expand(1, 4, 6, 6)},
    ],
    ids=lambda how: "-".join(how) or "plain",
)
def test_heads_with_one_map_share_it_and_lose_nothing(spelling: str, how: dict) -> None:
    net, x = Heads(UNPACKED[spelling], **how), torch.randn(2, 6, 12)
    assert moved("merge-heads=0.999999", net, x) < 1e-6
    program, report = after("merge-heads=0.999999", net, x)
    assert maps(program) == [2, 1]
    assert report.macs_after < report.macs_before


def test_a_packed_projection_gives_the_rows_it_needs() -> None:
    net, x = Tokens(first, depth=2), torch.randn(2, 9, 12)
    program, report = after("merge-heads=0", net, x)
    assert maps(program) == [1, 1] and len(report.places) == 2
    linears = [node for node in program.calls() if kind(node) == "linear"]
    assert [shape(node)[-1] for node in linears[:3]] == [4, 4, 12]
    assert report.moved.rel_l2 > 0


def test_one_by_one_convolutions_are_projections_too() -> None:
    class Pixels(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv = nn.Conv2d(8, 24, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            q, k, v = self.qkv(x).reshape(2, 2, 12, 20).transpose(2, 3).split(4, -1)
            return attention(q, k, v)

    net, x = Pixels(), torch.randn(2, 8, 4, 5)
    with torch.no_grad():
        held = net.qkv.weight
        held[12:20] = held[:8]
        net.qkv.bias[12:20] = net.qkv.bias[:8]
    assert moved("merge-heads=0.9999", net, x) < 1e-6


def test_every_grouping_keeps_the_heads_in_place() -> None:
    """Against values weighted by hand with the map of the head that each of them joined."""
    net, x = Heads(UNPACKED["linear"]), torch.randn(2, 6, 12)
    q, k, v = (net.unpack(one(x)) for one in (net.q, net.k, net.v))
    maps = torch.softmax(q @ k.transpose(-1, -2) / 3**0.5, -1)
    program, _ = after("merge-heads=0.999", net, x)
    torch.testing.assert_close(program.run()[0], maps[:, [0, 1, 2, 1]] @ v)
    program, _ = after("merge-heads=0", net, x)
    torch.testing.assert_close(program.run()[0], maps[:, [0, 0, 0, 0]] @ v)


def layer(s: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return nn.functional.linear(x, s.w).reshape(2, 6, 4, 3).transpose(1, 2)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda s, x: attention(layer(s, x), layer(s, x), layer(s, x).sin()), "`sin` stands between"),
        (lambda s, x: attention(layer(s, x).flip(2), layer(s, x), layer(s, x)), "`flip` stands between"),
        (lambda s, x: attention(layer(s, x), layer(s, x), nn.functional.linear(x, s.w).reshape(2, 4, 6, 3)), "mix channels and tokens"),
        (lambda s, x: attention(layer(s, x), y := layer(s, x), y) + y, "read elsewhere"),
        (lambda s, x: attention(layer(s, x), layer(s, x), layer(s, x), x.mean() + s.w.reshape(1, 4, 6, 6)[:, :, :6]), "mask is computed"),
    ],
)  # fmt: skip
def test_heads_that_cannot_be_taken_apart_stay(function, why: str) -> None:
    net, x = Call(function, w=torch.randn(12, 12)), torch.randn(2, 6, 12)
    _, report = after("merge-heads=0", net, x)
    assert not report.places
    assert why in report.refused[0].why


def test_heads_that_are_not_alike_stay() -> None:
    net = Heads(UNPACKED["linear"])
    nn.init.normal_(net.q.weight, std=3)
    _, report = after("merge-heads=0.99999", net, torch.randn(2, 6, 12))
    assert "the nearest two have cosine 0." in report.refused[0].why
    _, report = after("merge-heads=0", Tokens(first, heads=1), torch.randn(2, 6, 12))
    assert "one head" in report.refused[0].why


@settings(max_examples=10, deadline=None)
@given(st.integers(7, 14), st.integers(1, 3), st.integers(1, 2), st.integers(0, 99))
def test_tokens_are_merged_as_in_the_paper(tokens: int, depth: int, batch: int, seed: int) -> None:
    """Against loops, behind the class token."""
    count = (tokens - 1) // 2 if depth == 1 else 1
    net = Tokens(first, depth=depth, seed=seed).eval()
    x = torch.randn(batch, tokens, 12, generator=torch.Generator().manual_seed(seed))
    program, report = after(f"merge-tokens={count}", net, x)
    assert len(report.places) == depth
    with torch.no_grad():
        expected = net.merging(x, merge_one_by_one(1, count))
    torch.testing.assert_close(program.run()[0], expected, rtol=1e-3, atol=1e-3)


@settings(max_examples=8, deadline=None)
@given(st.integers(9, 14), st.integers(1, 3), st.integers(1, 2), st.integers(0, 99))
def test_tokens_are_fused_as_in_the_paper(tokens: int, depth: int, batch: int, seed: int) -> None:
    """Against loops, behind the class token; the fused token is fused again."""
    net = Tokens(first, depth=depth, seed=seed).eval()
    x = torch.randn(batch, tokens, 12, generator=torch.Generator().manual_seed(seed))
    program, report = after("fuse-tokens=2", net, x)
    assert len(report.places) == depth
    with torch.no_grad():
        expected = net.merging(x, fuse_the_rest(1, 2))
    torch.testing.assert_close(program.run()[0], expected, rtol=1e-3, atol=1e-3)


def test_fused_tokens_that_are_equal_lose_nothing() -> None:
    """Without a class token every query scores; a mean counts the fused one for what it stands for."""
    net, x = Tokens(mean), torch.randn(2, 1, 12).repeat(1, 10, 1)
    program, report = after("fuse-tokens=0.5", net, x)
    assert report.moved.rel_l2 < 1e-5
    gelus = [shape(node) for node in program.calls() if kind(node) == "gelu"]
    assert gelus == [(2, 6, 24), (2, 4, 24)]
    _, report = after("fuse-tokens=10", net, x)
    assert "of 10 tokens at most 9 can go at once" in report.refused[0].why


@pytest.mark.parametrize("readout", [mean, lambda x: x.mean(1, keepdim=True).flatten(1)])
@pytest.mark.parametrize("count", [1, 3, 5])
def test_tokens_that_are_equal_lose_nothing(readout, count: int) -> None:
    """However many are merged: attention and mean count them."""
    net, x = Tokens(readout), torch.randn(2, 5, 12).repeat_interleave(2, 1)
    program, report = after(f"merge-tokens={count}:0", net, x)
    assert report.moved.rel_l2 < 1e-5
    assert moved(f"merge-tokens={count}:0", net, x) < 1e-6
    gelus = [node for node in program.calls() if kind(node) == "gelu"]
    assert {shape(node) for node in gelus} == {(2, 10 - count, 24)}


@pytest.mark.parametrize(
    ("readout", "prefix"),
    [
        (first, 1),
        (lambda x: (x[:, 0] + x[:, 1]) / 2, 2),
        (lambda x: x[:, 1:].mean(1), 1),
        (lambda x: torch.cat([x[:, 0], x[:, 3:].mean(1)], 1)[:, :12], 3),
        (lambda x: x[:, :2].mean(1), 2),
        (lambda x: x[:, 1:3].mean(1), 3),
        (lambda x: x.transpose(1, 2)[:, :, 0], 1),
    ],
)
def test_tokens_read_by_their_place_are_never_merged(readout, prefix: int) -> None:
    """They are the only ones that are not the same as all others, which merge without a loss."""
    net, x = Tokens(readout, depth=1), torch.randn(1, 1, 12).repeat(2, 12, 1)
    x[:, :prefix] = torch.randn(2, prefix, 12)
    most = (12 - prefix) // 2
    assert moved(f"merge-tokens={most}", net, x) < 1e-6
    _, report = after(f"merge-tokens={most + 1}", net, x)
    assert f"at most {most} can go at once" in report.refused[0].why


@pytest.mark.parametrize(
    ("readout", "why"),
    [
        (lambda x: x.transpose(1, 2).reshape(2, 12, 3, 4).mean((2, 3)), "lays the tokens out by their place: 2x12x3x4"),
        (lambda x: (x + torch.ones(12, 1)).mean(1), "value for every token by its place"),
        (lambda x: x.cumsum(1)[:, 0], "`cumsum` may treat tokens by their place"),
        (lambda x: x.mean((1, 2))[:, None].expand(2, 12), "tokens and channels at once"),
        (lambda x: x.softmax(1).mean(1), "outside an attention"),
        (lambda x: x[:, 9], "picks tokens by their place"),
        (lambda x: x[:, ::2].mean(1), "in steps"),
        (lambda x: nn.functional.linear(x.transpose(1, 2), torch.ones(1, 12)).squeeze(-1), "mixes the tokens"),
        (lambda x: torch.cat([x, x], 1).mean(1), "behind one another"),
    ],
)  # fmt: skip
def test_what_needs_every_token_is_refused(readout, why: str) -> None:
    _, report = after("merge-tokens=1", Tokens(readout), torch.randn(2, 12, 12))
    assert not report.places
    assert why in report.refused[0].why


def test_tokens_that_are_returned_are_refused() -> None:
    net = Tokens(lambda x: x)
    _, report = after("merge-tokens=1", net, torch.randn(1, 8, 12))
    assert report.refused[0].why == "the model returns its tokens"


def attends(s: nn.Module, x: torch.Tensor) -> torch.Tensor:
    y = nn.functional.linear(x, s.w).reshape(2, 6, 4, 3).transpose(1, 2)
    return attention(y, y, y).transpose(1, 2).reshape(2, 6, 12)


def normal(x: torch.Tensor) -> torch.Tensor:
    return nn.functional.layer_norm(x, (12,))


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda s, x: (x + attends(s, x)).mean(1), "no norm stands before"),
        (lambda s, x: attends(s, normal(x)).mean(1), "stands between it and a residual sum"),
        (lambda s, x: (x + attends(s, normal(x).sin())).mean(1), "its keys come from `sin`"),
        (lambda s, x: ((y := attends(s, normal(x))) + y.sin() + x).mean(1), "read more than once"),
    ],
)
def test_attentions_of_another_pattern_are_refused(function, why: str) -> None:
    net = Call(function, w=torch.randn(12, 12))
    _, report = after("merge-tokens=1", net, torch.randn(2, 6, 12))
    assert not report.places
    assert why in report.refused[0].why


def test_a_count_for_every_attention() -> None:
    def left(word: str) -> list[int]:
        program, _ = after(word, Tokens(first, depth=3), torch.randn(1, 17, 12))
        ups = [node for node in program.calls() if kind(node) == "gelu"]
        return [shape(node)[1] for node in ups]

    assert left("merge-tokens=2") == [15, 13, 11]
    assert left("merge-tokens=4:0:1") == [13, 13, 12]
    assert left("merge-tokens=3:1...") == [14, 13, 12]
    assert left("merge-tokens=0.25") == [13, 10, 8]
    assert left("fuse-tokens=0:0.5") == [17, 10, 10]
    assert left("merge-tokens=5:0...") == left("merge-tokens=5:0") == [12, 12, 12]


def test_more_counts_than_attentions_are_a_mistake() -> None:
    with pytest.raises(UsageError, match="3 counts, and the model 2 attentions"):
        apply_lossy(
            program_for(Tokens(first), torch.randn(1, 9, 12)), parse_lossy("merge-tokens=1:1:1")
        )
