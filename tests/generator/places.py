"""What the nets of authors taught: writes at places, windows of many axes, tiny epsilons, parts of several types."""

from __future__ import annotations

import random

import torch
from torch import nn
from torch.nn import functional as F

from tests.generator.parts import Block, Constant, Fn, Plain, Shape, several


def _normalised(x: torch.Tensor) -> torch.Tensor:
    return F.relu(x) / (F.relu(x).sum(-1, keepdim=True) + 1e-15)


def _tied(x: torch.Tensor) -> torch.Tensor:
    weight = torch.eye(x.shape[1])[..., None, None].expand(-1, -1, 3, 3) / 9
    return F.conv_transpose2d(F.conv2d(x, weight, padding=1).relu(), weight, padding=1)


def _rows(x: torch.Tensor) -> torch.Tensor:
    t = x.flatten(2)
    return F.conv1d(t, torch.ones(x.shape[1], 1, 3) / 3, padding=1, groups=x.shape[1]).view(x.shape)


def _excited(x: torch.Tensor) -> torch.Tensor:
    """A gate of a one-dimensional convolution over the channels, which the image is multiplied by."""
    pooled = x.mean((2, 3)).unsqueeze(1)
    return x * F.conv1d(pooled, torch.ones(1, 1, 3), padding=1).sigmoid().mT.unsqueeze(-1)


def _image_of_windows(x: torch.Tensor) -> torch.Tensor:
    h, w = x.shape[2:]
    image = torch.zeros(x.shape[0], x.shape[1], h + 2, w + 2)
    for i in range(3):
        image[:, :, i : i + h, i : i + w] += x * (i + 1) / 3
    return image[:, :, 1:-1, 1:-1]


def _assigned(x: torch.Tensor) -> torch.Tensor:
    y = x.clone()
    y[:, :, torch.tensor([3, 0, 2])] = x[:, :, 1:4] * 2
    return y


NUMBERS: tuple[Plain, ...] = (
    _normalised,
    lambda x: x / (x * x + 1e-12).sqrt(),
    lambda x: x / (x.abs().amax(1, keepdim=True) + 1e-9) + x * 1.000001,
    lambda x: F.relu(x) / F.relu(x).sum(1, keepdim=True).clamp(min=1e-12),
    lambda x: torch.expm1(x.clamp(-3, 1) * 1e-4) * 1e4,
    lambda x: torch.log1p(x.abs() * 1e-4) * 1e4,
    lambda x: torch.clamp(x, x.flip(1) - 0.5, x.flip(1) + 0.5),
    lambda x: F.softplus(x, beta=3, threshold=4),
    lambda x: torch.logical_not((x * 2).int()) * x,
    lambda x: torch.logical_or((x * 2).int(), x > 1) * x + F.relu(x).bool(),
    lambda x: F.log_softmax(x * 40, 1) / 40,
    lambda x: F.logsigmoid(x * 40) / 40 + torch.logaddexp(x * 40, x.flip(1)) / 40,
)

PLACED: tuple[Plain, ...] = (
    _tied,
    _rows,
    _excited,
    _image_of_windows,
    _assigned,
    lambda x: F.fold(F.unfold(x, 3, padding=1), x.shape[2:], 3, padding=1) / 9,
    lambda x: F.fold(F.unfold(x, (3, 2), padding=1, stride=2).relu(), x.shape[2:], (3, 2), 1, 1, 2),
    lambda x: F.unfold(x, 3, padding=1, dilation=1).view(*x.shape[:2], 9, *x.shape[2:]).amax(2),
    lambda x: torch.cat([x[:, 1:], x.argmax(1, keepdim=True)], 1),
    lambda x: torch.stack([x, x > 0], 1).sum(1),
    lambda x: torch.zeros_like(x).scatter(1, x.argmax(1, keepdim=True), 1.0) * x,
    lambda x: x.index_put((torch.arange(x.shape[0])[:, None], x[:, :, 0, 0].argmax(1, keepdim=True)), torch.tensor(0.5)),
    lambda x: torch.zeros_like(x).index_put((torch.arange(x.shape[0])[:, None], x[:, :, 0, 0].argmax(1, keepdim=True) - 1), x[:, :1], accumulate=True) + x,
    lambda x: x.masked_scatter(x > 0.5, x.flip(1)),
    lambda x: x * ((torch.arange(x.shape[1])[:, None, None] + x.argmax(1, keepdim=True)) & 3) / 4,
    lambda x: torch.zeros_like(x).index_add(3, torch.arange(x.shape[3]) // 2, x),
    lambda x: F.interpolate(x, scale_factor=1.3)[:, :, : x.shape[2], : x.shape[3]],
    lambda x: x.masked_fill((torch.arange(x.shape[2] * x.shape[3]) % 3 == 0).view(x.shape[3], -1).T, 0.5),
)  # fmt: skip

numbers = several(NUMBERS, 2)
placed = several(PLACED, 2)


def merging(r: random.Random, s: Shape) -> nn.Module | None:
    """Tokens put into the tokens that are most like them, or that a table names; and given back."""
    c, h, w = s
    if h * w % 2 or not 16 <= h * w <= 200:
        return None
    half, how = h * w // 2, r.choice(["sum", "mean", "amax", "amin"])
    own, computed = r.random() < 0.5 or how == "amax", r.random() < 0.5
    table = torch.randint(0, half, (half,))

    def forward(x: torch.Tensor) -> torch.Tensor:
        t = x.flatten(2).mT
        kept, gone = t[:, ::2], t[:, 1::2]
        places = table[None, :, None]
        if computed:
            near = torch.linspace(-1, 1, half)
            places = (near[:, None] * near).argmax(-1)[None, :, None]
            places = places + 0 * gone.argmax(-1, keepdim=True)
        whole = places.expand(t.shape[0], half, c)
        merged = kept.scatter_reduce(1, whole, gone, how, include_self=own)
        back = torch.cat([merged, merged.gather(1, whole)], 1)
        return back.mT.reshape(x.shape)

    return Fn(forward)


def many_axes(r: random.Random, s: Shape) -> nn.Module | None:
    """Windows that stay apart along rows and columns while something is computed, as their authors write it."""
    c, h, w = s
    if h % 4 or w % 4 or c % 2:
        return None
    way = r.choice(["softmax", "norm", "scaled", "attention", "turned", "stacked"])

    def forward(x: torch.Tensor, norm: nn.Module, scale: nn.Module) -> torch.Tensor:
        b = x.shape[0]
        t = x.view(b, 2, c // 2, h // 4, 4, w // 4, 4)
        if way == "softmax":
            t = t.softmax(4) + t.mean((4, 6), keepdim=True)
        if way == "norm":
            t = norm(t.movedim(2, -1)).movedim(-1, 2)
        if way == "scaled":
            t = F.relu(t) * scale()
        if way == "attention":
            q = t.permute(0, 3, 5, 1, 4, 6, 2).flatten(4, 5)
            y = F.scaled_dot_product_attention(q, q * 0.5, q).unflatten(4, (4, 4))
            t = y.permute(0, 3, 6, 1, 4, 2, 5)
        if way == "turned":
            t = t.permute(0, 2, 1, 3, 6, 5, 4)
        if way == "stacked":
            t = torch.stack([t, -t], 3).amax(3)
        return t.reshape(x.shape)

    return Fn(forward, nn.LayerNorm(c // 2), Constant(2, c // 2, 1, 1, 1, 1))


def shared_rows(r: random.Random, s: Shape) -> nn.Module | None:
    """Relative positions of rows and of columns, each added to scores with five axes."""
    c, h, w = s
    if h * w > 150:
        return None

    def forward(x: torch.Tensor, rows: nn.Module, columns: nn.Module) -> torch.Tensor:
        b = x.shape[0]
        q = x.flatten(2).mT
        image = q.reshape(b, h, w, c)
        high = torch.einsum("bhwc,hkc->bhwk", image, rows())
        wide = torch.einsum("bhwc,wkc->bhwk", image, columns())
        scores = (q @ q.mT / c).view(b, h, w, h, w) + high[..., None] + wide[:, :, :, None, :]
        y = scores.view(b, h * w, h * w).softmax(-1) @ q
        return x + y.mT.reshape(x.shape)

    return Fn(forward, Constant(h, h, c, scale=0.1), Constant(w, w, c, scale=0.1))


def linear_stacks(r: random.Random, s: Shape) -> nn.Module | None:
    """Linear attention over stacks, normalised by a row of ones that goes along with the values."""
    c, h, w = s
    if c % 4:
        return None

    def forward(x: torch.Tensor, qkv: nn.Module, near: nn.Module, out: nn.Module) -> torch.Tensor:
        b = x.shape[0]
        packed = qkv(x)
        stacks = torch.cat([packed, near(packed)], 1).reshape(b, -1, 12, h * w)
        q, k, v = stacks.chunk(3, 2)
        v = F.pad(v, (0, 0, 0, 1), value=1.0)
        y = (v @ F.relu(k).mT) @ F.relu(q)
        y = y[:, :, :-1] / (y[:, :, -1:] + 1e-15)
        return x + out(y.reshape(b, -1, h, w))

    near = nn.Conv2d(3 * c, 3 * c, 5, padding=2, groups=3 * c, bias=False)
    return Fn(forward, nn.Conv2d(c, 3 * c, 1, bias=False), near, nn.Conv2d(2 * c, c, 1))


def masked_rows(r: random.Random, s: Shape) -> nn.Module | None:
    """Attention whose mask is computed, and may leave a query with nothing to see."""
    if s[1] * s[2] > 150:
        return None
    only_keys = r.random() < 0.3

    def forward(x: torch.Tensor) -> torch.Tensor:
        t = x.flatten(2).mT.unsqueeze(1)
        seen = t.amax(-1) > t.mean() - 0.1
        mask = seen[..., None, :] if only_keys else seen[..., None] & seen[..., None, :]
        y = F.scaled_dot_product_attention(t, t * 0.5, t, attn_mask=mask)
        return x + y.squeeze(1).mT.reshape(x.shape)

    return Fn(forward)


PLACES: tuple[Block, ...] = (
    numbers, numbers, placed, placed, merging, many_axes, many_axes, shared_rows, linear_stacks, masked_rows,
)  # fmt: skip
