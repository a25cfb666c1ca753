"""The pieces that random nets are made of: what people write, in as many spellings as they write it.

Each entry of `BLOCKS` takes a random source and the shape `(channels, height, width)` that reaches it, and
gives a module, or None where it does not fit. `spellings.py` and `tokens.py` hold more of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from tests.generator.parts import Block, Constant, Fn, Shape, conv_bn


def conv(r: random.Random, s: Shape) -> nn.Module:
    c, h, w = s
    out = r.choice([c, c, 8, 12])
    groups = r.choice([g for g in (1, 1, 2, 4, c) if c % g == 0 and out % g == 0])
    kernel = (r.choice([1, 3, 3, 5, 7]), r.choice([1, 3, 3, 5]))
    dilation = r.choice([1, 1, 2])
    padding = tuple(k // 2 * dilation for k in kernel)
    stride = r.choice([1, 1, 2]) if min(h, w) > 6 else 1
    return nn.Conv2d(c, out, kernel, stride, padding, dilation, groups, bias=r.random() < 0.5)


def conv_same(r: random.Random, s: Shape) -> nn.Module:
    mode = r.choice(["zeros", "reflect", "replicate", "circular"])
    if mode == "zeros":
        return nn.Conv2d(s[0], s[0], r.choice([2, 3, 4]), padding="same")
    return nn.Conv2d(s[0], s[0], 3, padding=1, padding_mode=mode)


def padded(r: random.Random, s: Shape) -> nn.Module:
    left, right, top, bottom = (r.randint(0, 2) for _ in range(4))
    value = r.choice([0.0, 0.0, 0.5])
    return Fn(
        lambda x, k: k(F.pad(x, (left, right, top, bottom), value=value)), nn.Conv2d(s[0], s[0], 3)
    )


def norm(r: random.Random, s: Shape) -> nn.Module:
    c = s[0]
    groups = r.choice([g for g in (1, 2, 4) if c % g == 0])
    layer = Fn(lambda x, n: n(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), nn.LayerNorm(c))
    return r.choice([nn.BatchNorm2d(c), nn.GroupNorm(groups, c), nn.InstanceNorm2d(c), layer])


def branches(r: random.Random, s: Shape) -> nn.Module:
    c = s[0]
    groups = r.choice([1, c])
    stride = r.choice([1, 1, 2]) if min(s[1:]) > 6 else 1
    pool = nn.AvgPool2d(3, stride, 1, count_include_pad=r.random() < 0.7)
    parts = [
        conv_bn(c, c, 3, padding=1, groups=groups, stride=stride),
        conv_bn(c, c, 1, groups=groups, stride=stride),
        conv_bn(c, c, 5, padding=2, groups=groups, stride=stride),
        conv_bn(c, c, 3, padding=2, dilation=2, groups=groups, stride=stride),
        nn.Sequential(pool, nn.BatchNorm2d(c)),
    ]
    if stride == 1:
        parts += [nn.BatchNorm2d(c), nn.Identity()]
    return Fn(lambda x, *p: sum(part(x) for part in p), *r.sample(parts, r.randint(2, 4)))


def mixed_windows(r: random.Random, s: Shape) -> nn.Module:
    """Convolutions of several windows over their shares of the channels, joined, and one norm for all."""
    c = s[0]
    shares = [c // 2, c - c // 2]
    convolutions = [
        nn.Conv2d(n, n, k, padding=k // 2, groups=r.choice([1, n]), bias=r.random() < 0.3)
        for n, k in zip(shares, r.sample([1, 3, 5], 2), strict=True)
    ]
    return Fn(
        lambda x, norm, *parts: norm(
            torch.cat([p(x) for p, x in zip(parts, x.split(shares, 1), strict=True)], 1)
        ),
        nn.BatchNorm2d(c),
        *convolutions,
    )


def rep_mixer(r: random.Random, s: Shape) -> nn.Module:
    c = s[0]
    return Fn(
        lambda x, mix, bn, g: x + g() * (mix(x) - bn(x)),
        conv_bn(c, c, 3, padding=1, groups=c),
        nn.BatchNorm2d(c),
        Constant(c, 1, 1),
    )


def chain(r: random.Random, s: Shape) -> nn.Module:
    c = s[0]
    mid = r.choice([4, c, 2 * c])
    return (
        nn.Sequential(
            nn.Conv2d(c, mid, 1, bias=r.random() < 0.5),
            nn.Conv2d(mid, mid, 3, padding=r.choice([0, 1]), groups=r.choice([1, mid])),
            nn.Conv2d(mid, c, 1),
            nn.BatchNorm2d(c),
        )
        if min(s[1:]) > 4
        else nn.BatchNorm2d(c)
    )


def norm_then_conv(r: random.Random, s: Shape) -> nn.Module:
    return nn.Sequential(
        nn.BatchNorm2d(s[0]),
        nn.Conv2d(s[0], s[0], 3, padding=r.choice([0, 1]) if min(s[1:]) > 4 else 1),
    )


def activation(r: random.Random, s: Shape) -> nn.Module:
    return r.choice(
        [nn.ReLU(), nn.ReLU(inplace=True), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Hardswish(), nn.ReLU6(),
         nn.Hardsigmoid(), nn.PReLU(s[0]), nn.LeakyReLU(0.1), nn.ELU(), nn.Softplus(), nn.Mish(), nn.Tanh(),
         nn.Sigmoid(), nn.Dropout(0.3), nn.Identity(), nn.Softmax(1)]
    )  # fmt: skip


def pool(r: random.Random, s: Shape) -> nn.Module | None:
    if min(s[1:]) < 6:
        return None
    include = r.random() < 0.5
    return r.choice(
        [nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1), nn.MaxPool2d(2, ceil_mode=True), nn.AvgPool2d(2),
         nn.AvgPool2d(3, 1, 1, count_include_pad=include), nn.AvgPool2d(3, 2, 1, count_include_pad=include),
         nn.AvgPool2d(2, ceil_mode=True), nn.AdaptiveAvgPool2d(4), nn.AdaptiveAvgPool2d((3, 5)),
         Fn(lambda x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False) - x)]
    )  # fmt: skip


def squeeze_excite(r: random.Random, s: Shape) -> nn.Module:
    c = s[0]
    gate = r.choice([torch.sigmoid, F.hardsigmoid])
    keep = r.random() < 0.5
    return Fn(
        lambda x, a, b: (
            x
            * gate(
                b(F.relu(a(x.mean((2, 3), keepdim=True) if keep else F.adaptive_avg_pool2d(x, 1))))
            )
        ),
        nn.Conv2d(c, 4, 1),
        nn.Conv2d(4, c, 1),
    )


def in_place(r: random.Random, s: Shape) -> nn.Module:
    def add(x, k):
        y = k(x)
        y += x
        return F.relu_(y)

    def through_a_slice(x, k):
        y = k(x)
        y[:, :4] = x[:, :4] * 2
        return y

    def through_a_view(x, k):
        y = k(x)
        y.flatten(1).mul_(0.5)
        return y

    def partial(x, k):
        a, b = torch.split(x, [4, x.shape[1] - 4], 1)
        return torch.cat([k(x)[:, :4] + a, b], 1)

    function = r.choice([add, through_a_slice, through_a_view, partial])
    return Fn(function, nn.Conv2d(s[0], s[0], 1))


def moves(r: random.Random, s: Shape) -> nn.Module:
    c = s[0]
    options: list[Callable[[torch.Tensor], torch.Tensor]] = [
        lambda x: torch.roll(x, (1, -2), (2, 3)),
        lambda x: x.flip(3),
        lambda x: torch.cat(x.chunk(2, 1)[::-1], 1),
        lambda x: torch.stack(x.unbind(1), 1),
        lambda x: x.transpose(2, 3).contiguous().transpose(2, 3),
        lambda x: x.reshape(x.shape[0], 2, c // 2, *x.shape[2:]).transpose(1, 2).flatten(1, 2),
        lambda x: x + x.amax((2, 3), keepdim=True),
        lambda x: F.normalize(x, dim=1),
        lambda x: x / (x.pow(2).mean(1, keepdim=True) + 1e-3).sqrt(),
        lambda x: x * torch.arange(x.shape[3], dtype=torch.float32).div(x.shape[3]),
        lambda x: x + torch.ones(x.shape[2], x.shape[3]).tril(),
        lambda x: torch.where(x > 0, x, x * 0.1),
        lambda x: x.clamp(-1, 2),
        lambda x: x[:, :, 1:-1, 1:-1],
        lambda x: (x[:, ::2] + x[:, 1::2]).repeat(1, 2, 1, 1),
        lambda x: 1 - x,
        lambda x: -x / 3,
        lambda x: torch.add(x, x.sin(), alpha=0.5),
        lambda x: torch.einsum("bchw,bdhw->bcd", x, x).unsqueeze(3) @ torch.ones(1, 1, 1, c) / 10,
    ]
    return Fn(r.choice(options))


def resize(r: random.Random, s: Shape) -> nn.Module | None:
    if max(s[1:]) > 12:
        return None
    mode = r.choice(["nearest", "bilinear", "bicubic"])
    aligned = {} if mode == "nearest" else {"align_corners": r.random() < 0.5}
    by = r.choice([{"scale_factor": 2}, {"size": (s[1] + 3, s[2] + 1)}])
    if mode == "nearest":
        by = {"scale_factor": 2}
    return Fn(lambda x: F.interpolate(x, mode=mode, **by, **aligned))


def shuffle(r: random.Random, s: Shape) -> nn.Module | None:
    if s[1] % 2 or s[2] % 2:
        return None
    down = nn.PixelUnshuffle(2)
    return r.choice(
        [nn.Sequential(down, nn.PixelShuffle(2)), nn.Sequential(down, nn.Conv2d(4 * s[0], 8, 1))]
    )


def upconv(r: random.Random, s: Shape) -> nn.Module | None:
    if max(s[1:]) > 12:
        return None
    return nn.Sequential(nn.ConvTranspose2d(s[0], 8, 2, 2), nn.BatchNorm2d(8))


def attention(r: random.Random, s: Shape) -> nn.Module | None:
    c, h, w = s
    if c % 4 or h * w > 200:
        return None
    heads, tokens = r.choice([1, 2, 4]), h * w
    spelling = r.choice(["sdpa", "matmul", "biased", "einsum", "linear", "channels"])
    bias_index = torch.randint(0, 30, (tokens, tokens))

    def mixed(q, k, v, table):
        if spelling == "sdpa":
            return F.scaled_dot_product_attention(q, k, v)
        if spelling == "einsum":
            scores = torch.einsum("bhnd,bhmd->bhnm", q, k) / q.shape[-1] ** 0.5
            return torch.einsum("bhnm,bhmd->bhnd", scores.softmax(-1), v)
        if spelling == "linear":
            q, k = F.relu(q), F.relu(k)
            return (
                q
                @ (k.transpose(-2, -1) @ v)
                / (q @ k.sum(-2, keepdim=True).transpose(-2, -1) + 1e-2)
            )
        if spelling == "channels":
            q, k = F.normalize(q, dim=-2), F.normalize(k, dim=-2)
            return v @ (k.transpose(-2, -1) @ q).softmax(-1)
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
        if spelling == "biased":
            scores = scores + table()[bias_index.flatten()].view(tokens, tokens)
        return scores.softmax(-1) @ v

    def forward(x, ln, qkv, out, table):
        t = ln(x.flatten(2).transpose(1, 2))
        packed = qkv(t).reshape(x.shape[0], tokens, 3, heads, c // heads).permute(2, 0, 3, 1, 4)
        y = mixed(*packed.unbind(0), table).transpose(1, 2).reshape(x.shape[0], tokens, c)
        return x + out(y).transpose(1, 2).reshape(x.shape)

    return Fn(
        forward,
        nn.LayerNorm(c),
        nn.Linear(c, 3 * c, bias=r.random() < 0.7),
        nn.Linear(c, c),
        Constant(30),
    )


def windows(r: random.Random, s: Shape) -> nn.Module | None:
    c, h, w = s
    if h % 4 or w % 4:
        return None

    def forward(x, mix):
        b = x.shape[0]
        t = x.permute(0, 2, 3, 1).view(b, h // 4, 4, w // 4, 4, c).permute(0, 1, 3, 2, 4, 5)
        t = mix(t.reshape(-1, 16, c).transpose(1, 2)).transpose(1, 2)
        t = t.reshape(b, h // 4, w // 4, 4, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(b, h, w, c)
        return t.permute(0, 3, 1, 2)

    return Fn(forward, nn.Linear(16, 16))


def mlp(r: random.Random, s: Shape) -> nn.Module:
    c = s[0]
    act = r.choice([F.gelu, F.relu, F.silu])
    return Fn(
        lambda x, a, b, g: x + (g() * b(act(a(x.permute(0, 2, 3, 1))))).permute(0, 3, 1, 2),
        nn.Linear(c, 2 * c),
        nn.Linear(2 * c, c),
        Constant(c),
    )


def cascade(r: random.Random, s: Shape) -> nn.Module | None:
    if s[0] % 2:
        return None
    half = s[0] // 2

    def forward(x, a, b):
        one, two = x.split(half, 1)
        one = a(one)
        return torch.cat([one, b(two + one)], 1)

    return Fn(forward, conv_bn(half, half, 3, padding=1), nn.Conv2d(half, half, 1))


BLOCKS: tuple[Block, ...] = (
    conv, conv, conv_same, padded, norm, branches, branches, rep_mixer, chain, norm_then_conv, activation, activation,
    pool, squeeze_excite, in_place, moves, moves, resize, shuffle, upconv, attention, attention, windows, mlp, cascade,
    mixed_windows,
)  # fmt: skip
