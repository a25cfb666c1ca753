"""Recurrent cells, places among bounds, a third axis, look-ups and products as heads and video nets have them."""

from __future__ import annotations

import random

import torch
from torch import nn
from torch.nn import functional as F

from tests.generator.parts import Block, Constant, Fn, Plain, Shape, several


def _upsampled(x: torch.Tensor) -> torch.Tensor:
    """RAFT's convex combinations of neighbours, on values of seven axes."""
    b, c, h, w = x.shape
    mask = x.mean(1, keepdim=True) * torch.arange(36).view(1, 36, 1, 1) / 9
    mask = mask.view(b, 1, 9, 2, 2, h, w).softmax(2)
    near = F.unfold(x, 3, padding=1).view(b, c, 9, 1, 1, h, w)
    return (mask * near).sum(2).mean((2, 3))


def _looked_up(x: torch.Tensor) -> torch.Tensor:
    """Places of boxes, points and taps, as torchvision's `roi_align` writes them without its kernel."""
    c, h, w = x.shape[1:]
    rows = (
        x.mean((0, 1, 3))[:2].abs().view(2, 1, 1, 1, 1, 1) + torch.arange(2).view(1, 1, 2, 1, 1, 1)
    ).long() % h
    columns = torch.arange(4).view(1, 1, 1, 2, 1, 2) % w
    planes = torch.arange(c).view(1, c, 1, 1, 1, 1)
    first = torch.zeros(2, 1, 1, 1, 1, 1, dtype=torch.int32)
    return x + x[first, planes, rows, columns].flatten(2).mean((0, 2)).view(1, c, 1, 1)


def _of_both_types(x: torch.Tensor) -> torch.Tensor:
    rows = (x.abs().mean((0, 1, 3)) % 1).round().int()
    return x[:, :, rows, x.argmax(3)[0, 0]].unsqueeze(3) + x


def _padded_mask(x: torch.Tensor) -> torch.Tensor:
    t = x.flatten(2).mT
    hidden = t.amax(-1) < t.mean() - 1
    mask = torch.zeros_like(hidden, dtype=t.dtype).masked_fill(hidden, -9.0)
    return x + ((t @ t.mT / 9 + mask[:, None]).softmax(-1) @ t).mT.reshape(x.shape)


def _clipped_and_pooled(x: torch.Tensor) -> torch.Tensor:
    places = F.adaptive_max_pool2d(x, (2, 3), return_indices=True)[1]
    summed = x.sigmoid().cumprod(3) + x.tanh().cumsum(-2) / 9
    return F.hardtanh(x * 0.7, 0.0, 1.0) + summed + places.float().mean((2, 3), keepdim=True) / 30


def _spectrum_of_products(x: torch.Tensor) -> torch.Tensor:
    pairs = torch.einsum("bcn,bmc->bnm", x.flatten(2), x.flatten(2)[..., :4].mT).mean(2)
    x = pairs.view(x.shape[0], 1, *x.shape[2:]) + x
    mixed = torch.einsum("...ij,...kj,...k->...i", x, x.softmax(2), x.mean(3))[..., None] / 9 + x
    waves = torch.fft.fftshift(torch.fft.fft2(mixed, s=(4, 8), norm="ortho"))
    return mixed + waves.abs().mean((2, 3), keepdim=True)


PLAIN: tuple[Plain, ...] = (
    _upsampled,
    _looked_up,
    _of_both_types,
    _padded_mask,
    lambda x: torch.bucketize(x, torch.tensor([-1.0, -0.2, 0.3, 2.0])) / 4 + x,
    lambda x: torch.searchsorted(x.softmax(3).cumsum(3), x.sigmoid(), right=True) / 9 + x,
    _clipped_and_pooled,
    _spectrum_of_products,
    lambda x: x * torch.einsum("bi,bj->bij", x.amax((2, 3)), x.mean((2, 3))).softmax(2).mean(1)[..., None, None],
    lambda x: x.max(1, keepdim=True).values * x.min(2, keepdim=True)[0].sigmoid() + x,
    lambda x: (x.mean((2, 3))[:, None] @ x.flatten(2)).view(x.shape[0], 1, *x.shape[2:]) / 9 + x,
    lambda x: x + x.amax((2, 3), keepdim=True).flatten(2).mT.matmul(torch.eye(x.shape[1]).roll(1, 0)).mT[..., None],
    lambda x: F.local_response_norm(x, 3) + F.max_pool3d(x[:, None], (3, 1, 1), 1, (1, 0, 0))[:, 0],
    lambda x: F.avg_pool3d(x, (2, 3, 3), 1, (0, 1, 1)).repeat_interleave(2, 1)[:, : x.shape[1]],
)  # fmt: skip

heads = several(PLAIN, 2)


def recurrent(r: random.Random, s: Shape) -> nn.Module | None:
    """Rows or columns read one after the other, and slots that a cell moves."""
    c, h, w = s
    if c % 2 or max(h, w) > 10:
        return None
    kind = r.choice(["lstm", "gru", "rnn", "lstm cell", "gru cell"])
    if kind.endswith("cell"):
        cell = nn.LSTMCell(c, c) if kind == "lstm cell" else nn.GRUCell(c, c)

        def stepped(x: torch.Tensor, cell: nn.Module) -> torch.Tensor:
            state = x.mean((2, 3))
            for part in x.amax(3).unbind(2)[:3]:
                moved = cell(part, (state, state) if kind == "lstm cell" else state)
                state = moved[0] if isinstance(moved, tuple) else moved
            return x + state[..., None, None]

        return Fn(stepped, cell)
    layer = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[kind]
    first = r.random() < 0.5

    def forward(x: torch.Tensor, net: nn.Module) -> torch.Tensor:
        t = x.mean(2).mT if first else x.mean(3).permute(2, 0, 1)
        y = net(t)[0]
        return x + (y.mT.unsqueeze(2) if first else y.permute(1, 2, 0).unsqueeze(3))

    return Fn(forward, layer(c, c // 2, batch_first=first, bidirectional=True))


def of_three_axes(r: random.Random, s: Shape) -> nn.Module | None:
    """Convolutions and pools of clips, the channels being four channels of frames."""
    c, h, w = s
    if c % 4 or min(h, w) < 6:
        return None
    kernel = r.choice([(3, 3, 3), (1, 3, 3), (2, 1, 1), (1, 1, 3)])
    layer = nn.Conv3d(
        4, 4, kernel, padding="same" if r.random() < 0.2 else tuple(k // 2 for k in kernel),
        groups=r.choice([1, 2, 4]), bias=r.random() < 0.5,
    )  # fmt: skip
    pool = r.choice([nn.MaxPool3d(3, (1, 2, 2), 1), nn.AvgPool3d((1, 2, 2)), nn.Identity()])

    def forward(x: torch.Tensor, layer: nn.Module, pool: nn.Module) -> torch.Tensor:
        y = pool(F.relu(layer(x.view(x.shape[0], 4, c // 4, h, w))))
        return y.flatten(1, 2)

    return Fn(forward, layer, pool)


def gated_table(r: random.Random, s: Shape) -> nn.Module:
    """Products whose one factor has a single row, column or place, as global contexts end."""
    c = s[0]
    kind = r.choice(["row", "column", "outer", "place"])

    def forward(x: torch.Tensor, table: nn.Module) -> torch.Tensor:
        pooled = x.mean((2, 3))
        if kind == "row":
            gate = pooled[:, None] @ table()
        elif kind == "column":
            gate = (table() @ pooled[..., None]).mT
        elif kind == "outer":
            gate = (pooled[..., None] @ pooled[:, None]).softmax(-1).mean(1, keepdim=True)
        else:
            gate = F.conv2d(pooled[..., None, None], table()[..., None, None]).flatten(2).mT
        return x * gate.sigmoid().mT.unsqueeze(-1)

    return Fn(forward, Constant(c, c, scale=0.3))


HEADS: tuple[Block, ...] = (heads, heads, recurrent, of_three_axes, gated_table)
