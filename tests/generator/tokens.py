"""Attention and token mixing, as the hybrid nets of the last years spell them."""

from __future__ import annotations

import random

import torch
from torch import nn
from torch.nn import functional as F

from tests.generator.parts import Block, Constant, Fn, Shape, conv_bn


def norms(r: random.Random, s: Shape) -> nn.Module:
    c = s[0]
    groups = r.choice([g for g in (1, 2, c) if c % g == 0])
    by_hand = Fn(
        lambda x, g: (
            g() * (x - x.mean(1, keepdim=True)) * torch.rsqrt(x.var(1, keepdim=True) + 1e-3)
        ),
        Constant(c, 1, 1),
    )
    affine = r.random() < 0.5
    return r.choice(
        [
            nn.BatchNorm2d(c, track_running_stats=False, affine=affine),
            nn.InstanceNorm2d(c, affine=affine, track_running_stats=r.random() < 0.5),
            nn.GroupNorm(groups, c, affine=affine, eps=1e-3),
            nn.LayerNorm(s, elementwise_affine=affine),
            nn.LayerNorm(s[2], bias=False),
            nn.RMSNorm(s[2], eps=r.choice([None, 1e-5])),
            nn.LocalResponseNorm(3),
            Fn(
                lambda x, n: n(x.flatten(2).mT.flatten(0, 1)).view(x.shape[0], -1, c).mT.view_as(x),
                nn.BatchNorm1d(c),
            ),
            Fn(lambda x, n: n(x.flatten(2)).view(x.shape), nn.BatchNorm1d(c)),
            by_hand,
        ]
    )


def multihead(r: random.Random, s: Shape) -> nn.Module | None:
    """torch's own attention and encoder modules."""
    c, h, w = s
    if c % 4 or h * w > 150:
        return None

    def attend(x: torch.Tensor, attention: nn.Module) -> torch.Tensor:
        t = x.flatten(2).permute(0, 2, 1)
        return x + attention(t, t, t, need_weights=False)[0].permute(0, 2, 1).reshape(x.shape)

    def encode(x: torch.Tensor, layer: nn.Module) -> torch.Tensor:
        return layer(x.flatten(2).permute(0, 2, 1)).permute(0, 2, 1).reshape(x.shape)

    if r.random() < 0.5:
        return Fn(attend, nn.MultiheadAttention(c, r.choice([1, 2]), batch_first=True))
    first = r.random() < 0.5
    return Fn(encode, nn.TransformerEncoderLayer(c, 2, 2 * c, batch_first=True, norm_first=first))


def masked(r: random.Random, s: Shape) -> nn.Module | None:
    """A mask, causality, a scale of its own, or fewer keys than queries."""
    c, h, w = s
    if c % 2 or h * w > 150:
        return None
    n, kind = (
        h * w,
        r.choice(["bool", "float", "causal", "scale", "pooled", "transposed", "seen", "unseen"]),
    )
    mask = torch.rand(n, n) > 0.3
    mask |= torch.eye(n, dtype=torch.bool)

    def forward(x, q, kv, bias):
        b = x.shape[0]
        source = F.avg_pool2d(x, 2, ceil_mode=True) if kind == "pooled" else x
        query = q(x).flatten(2).view(b, 2, c // 2, n).transpose(2, 3)
        key, value = kv(source).flatten(2).view(b, 2, c, -1).transpose(2, 3).chunk(2, -1)
        if kind == "bool":
            y = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        elif kind == "float":
            y = F.scaled_dot_product_attention(query, key, value, attn_mask=bias())
        elif kind == "causal":
            y = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        elif kind == "seen":  # some queries see nothing
            some = query.amax(-1) > 0.3
            allowed = some[..., None] & (key.amax(-1) > 0.3)[..., None, :]
            y = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        elif kind == "unseen":
            hidden = (query.amax(-1) < 0.3)[..., None].expand(b, 2, n, n)
            closed = torch.zeros(b, 2, n, n).masked_fill(hidden, -torch.inf)
            y = F.scaled_dot_product_attention(query, key, value, attn_mask=closed)
        elif kind == "scale":
            y = F.scaled_dot_product_attention(query, key, value, scale=0.3)
        elif kind == "transposed":
            y = (
                value.mT @ torch.softmax(query.matmul(key.mT) * 0.2 + bias(), dim=3).transpose(2, 3)
            ).mT
        else:
            y = F.scaled_dot_product_attention(query, key, value)
        return x + y.transpose(2, 3).reshape(x.shape)

    conv = nn.Conv2d(c, 2 * c, 1)
    return Fn(forward, conv_bn(c, c, 1), conv, Constant(1, 1, n, n))


def single_head(r: random.Random, s: Shape) -> nn.Module | None:
    """Attention on a part of the channels, the rest passed by; a depthwise convolution before it."""
    c, h, w = s
    if c < 8 or h * w > 200:
        return None
    part, qk = c // 2, 4

    def forward(x, norm, qkv, out, before):
        x = x + before(x)
        a, rest = torch.split(x, [part, c - part], dim=1)
        q, k, v = qkv(norm(a)).split([qk, qk, part], dim=1)
        q, k, v = q.flatten(2), k.flatten(2), v.flatten(2)
        attention = ((q.transpose(-2, -1) @ k) * qk**-0.5).softmax(dim=-1)
        y = (v @ attention.transpose(-2, -1)).reshape(x.shape[0], part, h, w)
        return out(torch.cat([y, rest], dim=1))

    return Fn(
        forward,
        nn.GroupNorm(1, part),
        conv_bn(part, 2 * qk + part, 1),
        nn.Sequential(nn.ReLU(), conv_bn(c, c, 1)),
        conv_bn(c, c, 3, padding=1, groups=c),
    )


def additive(r: random.Random, s: Shape) -> nn.Module:
    """Attention that is linear in the tokens: a global query, gated, or external memory."""
    c = s[0]
    kind = r.choice(["global", "memory", "spatial", "gated"])

    def forward(x, a, b, memory):
        t = x.flatten(2).mT
        if kind == "global":
            weights = a(t).softmax(1)
            pooled = (weights * t).sum(1, keepdim=True)
            y = b(t * pooled)
        elif kind == "memory":
            y = (t @ memory().T).softmax(-1) @ memory() + 0 * a(t)
        elif kind == "spatial":
            y = torch.sigmoid(torch.cat([t.mean(-1, True), t.max(-1, True)[0]], -1).sum(-1, True))
            y = y * b(t)
        else:
            u, v = a(t).chunk(2, -1)
            y = torch.cat([u * F.silu(v), v], -1)
        return x + y.mT.reshape(x.shape)

    return (
        Fn(forward, nn.Linear(c, c), nn.Linear(c, c, bias=False), Constant(6, c))
        if c % 2 == 0
        else nn.Identity()
    )


def shifted_windows(r: random.Random, s: Shape) -> nn.Module | None:
    c, h, w = s
    if c % 2:
        return None
    size, shift = r.choice([2, 4]), r.choice([0, 1])
    index = torch.randint(0, 9, (size * size, size * size))

    def forward(x, norm, qkv, table):
        b = x.shape[0]
        t = norm(x.permute(0, 2, 3, 1))
        t = F.pad(t, (0, 0, 0, -w % size, 0, -h % size))
        hp, wp = t.shape[1:3]
        if shift:
            t = torch.roll(t, shifts=(-shift, -shift), dims=(1, 2))
        t = t.view(b, hp // size, size, wp // size, size, c).permute(0, 1, 3, 2, 4, 5)
        t = t.contiguous().view(-1, size * size, c)
        q, k, v = qkv(t).reshape(t.shape[0], -1, 3, 2, c // 2).permute(2, 0, 3, 1, 4)
        bias = table()[:, index.view(-1)].view(2, size * size, size * size).unsqueeze(0)
        t = ((q @ k.transpose(-2, -1)) * 0.5 + bias).softmax(-1) @ v
        t = t.transpose(1, 2).reshape(-1, size, size, c)
        t = t.view(b, hp // size, wp // size, size, size, c).permute(0, 1, 3, 2, 4, 5)
        t = t.reshape(b, hp, wp, c)
        if shift:
            t = torch.roll(t, shifts=(shift, shift), dims=(1, 2))
        return x + t[:, :h, :w].permute(0, 3, 1, 2)

    return Fn(forward, nn.LayerNorm(c), nn.Linear(c, 3 * c), Constant(2, 9))


def grid(r: random.Random, s: Shape) -> nn.Module | None:
    """Rotary positions by halves, or sampling at constant places."""
    c, h, w = s
    if c % 4:
        return None
    angles = torch.outer(torch.arange(h * w) / 7, torch.rand(c // 2))
    places = torch.rand(1, h, w, 2) * 1.8 - 0.9
    align = r.random() < 0.5

    def rotary(x: torch.Tensor) -> torch.Tensor:
        t = x.flatten(2).mT
        one, two = t.chunk(2, -1)
        cos, sin = angles.cos(), angles.sin()
        return torch.cat([one * cos - two * sin, two * cos + one * sin], -1).mT.view_as(x)

    def rotary_pairs(x: torch.Tensor) -> torch.Tensor:
        t = x.flatten(2).mT
        turned = torch.stack([-t[..., 1::2], t[..., ::2]], -1).reshape(t.shape)
        cos = angles.cos().repeat_interleave(2, -1)
        return (t * cos + turned * angles.sin().repeat_interleave(2, -1)).mT.reshape(x.shape)

    def sample(x: torch.Tensor) -> torch.Tensor:
        return F.grid_sample(x, places.expand(x.shape[0], -1, -1, -1), align_corners=align)

    return Fn(r.choice([rotary, rotary_pairs, sample]))


TOKENS: tuple[Block, ...] = (
    norms, norms, multihead, masked, single_head, additive, shifted_windows, grid,
)  # fmt: skip
