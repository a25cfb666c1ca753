"""One thing written in the many ways that people write it: arithmetic, writes in place, moves, constants."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from tests.generator.parts import Block, Constant, Fn, Plain, Shape, conv_bn, several

ACTIVATIONS: tuple[Plain, ...] = (
    lambda x: x * torch.sigmoid(1.702 * x),
    lambda x: 0.5 * x * (1 + torch.erf(x / math.sqrt(2))),
    lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    lambda x: x * F.relu6(x + 3) / 6,
    lambda x: F.relu(x) ** 2,
    lambda x: F.hardtanh(x, -0.5, 1.5),
    lambda x: F.selu(x) - F.celu(x, 0.5),
    lambda x: F.logsigmoid(x) / 4,
    lambda x: F.softsign(x) + F.tanhshrink(x),
    lambda x: F.threshold(x, 0.1, -0.2),
    lambda x: F.glu(torch.cat([x, x.flip(1)], 1), 1),
    lambda x: torch.maximum(x, -x) + torch.minimum(x, torch.zeros_like(x)),
    lambda x: F.log_softmax(x, 1) / 5,
    lambda x: F.softmin(x, -1) * x.shape[-1],
    lambda x: torch.clamp_min(x, 0).sqrt(),
    lambda x: x.abs().add(1e-2).log().clamp(max=1.0),
    lambda x: torch.exp(-x.square()),
    lambda x: x * x.sign() + x.sin() * x.cos(),
    lambda x: torch.rsqrt(x * x + 1),
    lambda x: torch.reciprocal(x.abs() + 1),
    lambda x: torch.atan(x) - torch.floor(x) / 4,
    lambda x: F.rrelu(x),
    lambda x: F.hardswish(x) * F.hardsigmoid(x),
    lambda x: torch.logaddexp(x * 30, -x * 30) / 30,
    lambda x: F.log_softmax(x * 30, 1) / 60,
    lambda x: torch.logcumsumexp(x * 30, 3) / 30,
)

ARITHMETIC: tuple[Plain, ...] = (
    lambda x: torch.sub(x, x.mean(1, keepdim=True), alpha=2),
    lambda x: torch.rsub(x, 2.0, alpha=0.5),
    lambda x: torch.addcmul(x, x, x.sigmoid(), value=0.3),
    lambda x: torch.lerp(x, x.relu(), 0.25),
    lambda x: (
        (x - x.mean((2, 3), keepdim=True))
        / torch.sqrt(x.var((2, 3), keepdim=True, unbiased=False) + 1e-3)
    ),
    lambda x: (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-1),
    lambda x: x / x.norm(dim=1, keepdim=True).clamp_min(1e-2),
    lambda x: F.normalize(x.flatten(2), dim=-1).view_as(x),
    lambda x: F.rms_norm(x, x.shape[3:]),
    lambda x: F.layer_norm(x, x.shape[1:]),
    lambda x: F.cosine_similarity(x, x.roll(1, 1), dim=1).unsqueeze(1) * x,
    lambda x: torch.logsumexp(x, 1, keepdim=True) - x,
    lambda x: torch.maximum(torch.zeros_like(x), x - x.roll(2, 3)) - torch.minimum(x, x.roll(1, 2)),
    lambda x: (
        (F.unfold(x, 3, padding=1).reshape(*x.shape[:2], 9, -1) * x.flatten(2).tanh()[:, :1, None])
        .sum(2)
        .reshape(x.shape)
    ),
    lambda x: x.cumsum(3) / x.shape[3],
    lambda x: x.where(x > -0.5, torch.tensor(-0.5)),
    lambda x: x * (x > 0) + x * (x <= 0).float() * 0.2,
    lambda x: x.masked_fill(x < -1, -1.0),
    lambda x: x * 0 + x.max(dim=1, keepdim=True).values,
    lambda x: x + x.topk(2, dim=1).values.sum(1, keepdim=True),
    lambda x: x + F.one_hot(x.argmax(1), x.shape[1]).permute(0, 3, 1, 2),
    lambda x: x.double().mul(0.5).float(),
    lambda x: (x * 1.0 + 0) / 1,
    lambda x: x * torch.tensor(2.0) - torch.tensor(1),
    lambda x: x + x.numel() / 1e4 + x.size(1) // 3,
    lambda x: torch.prod(torch.stack([x, x.sigmoid()], 0), 0),
    lambda x: sum([x, x.relu(), 1.5 * x]) / 3,
    lambda x: (x @ x.transpose(2, 3)).softmax(-1) @ x,
    lambda x: torch.einsum("bchw,cd->bdhw", x, torch.eye(x.shape[1]).roll(1, 0)),
    lambda x: torch.einsum("bchw->bcwh", x).mT,
    lambda x: torch.bmm(x.flatten(2), x.flatten(2).mT).softmax(-1).bmm(x.flatten(2)).view(x.shape),
    lambda x: torch.amin(x, (1, 2), keepdim=True) + x - torch.mean(x),
    lambda x: F.interpolate(x.mean((2, 3), keepdim=True), size=x.shape[2:]) + x,
    lambda x: F.unfold(x, 3, padding=1).view(x.shape[0], x.shape[1], 9, *x.shape[2:]).mean(2),
    lambda x: F.max_pool2d(x, 3, 1, 1, dilation=2).mean() - F.max_pool2d(-x, (3, 1), 1, (1, 0)),
    lambda x: F.max_pool2d(F.pad(-x.abs(), (0, 1, 0, 1)), 2, 1) + x,
    lambda x: F.adaptive_max_pool2d(x, 1) * x.sigmoid(),
    lambda x: F.avg_pool1d(x.flatten(2), 3, 1, 1).view(x.shape) + F.lp_pool2d(x.abs() + 0.1, 2, 1),
    lambda x: (
        F.conv1d(x.mean((2, 3)).unsqueeze(1), torch.ones(1, 1, 3) / 3, padding=1).mT[..., None] * x
    ),
    lambda x: torch.var_mean(x, (2, 3), keepdim=True)[0].sqrt() + x,
    lambda x: torch.clamp(x, min=x.mean(), max=x.amax()),
    lambda x: (x.abs() + 0.1).pow(0.5) + (x.abs() + 0.1) ** -1 + x.pow(2),
    lambda x: torch.where((x > 0) & (x < 1) | (x == 2), x, 0.5),
    lambda x: x.softmax(1).cumsum(1).round() * x + x.floor().remainder(2) + x // 1,
    lambda x: torch.einsum("bchw,bcuv->bhwuv", x, x).mean((3, 4)).unsqueeze(1) / 9 + x,
    lambda x: torch.einsum("b c h w, c -> b h w", x, torch.ones(x.shape[1])).unsqueeze(1) + x,
    lambda x: (
        torch.outer(x.mean((0, 2, 3)), x.amax((0, 2, 3))).softmax(0).mean(1).view(1, -1, 1, 1) * x
    ),
    lambda x: x.float().sum() / x.numel() + x.any().float() + x.isnan().float() + x,
    lambda x: F.pairwise_distance(x.flatten(2), x.flatten(2).flip(1)).unsqueeze(2).unsqueeze(3) + x,
    lambda x: torch.cdist(x.flatten(2), x.flatten(2).flip(1)).mean(1)[..., None, None] / 9 + x,
    lambda x: torch.tensor_split(x, 2, 1)[0].repeat_interleave(2, 1)[:, : x.shape[1]],
)

MOVES: tuple[Plain, ...] = (
    lambda x: F.pad(x, (1, -1)),
    lambda x: F.pad(x, (1, -1, -1, 1)) + x,
    lambda x: F.pad(x, (1, 2, 0, 1), mode="reflect"),
    lambda x: F.pad(x, (1, 1, 0, 2), mode="replicate"),
    lambda x: F.pad(x, (0, 0, 0, 0, 2, 2))[:, 2:-2],
    lambda x: torch.cat([x[..., 1:], x[..., :1]], -1),
    lambda x: torch.cat([x[:, :, ::2], x[:, :, 1::2]], 2),
    lambda x: torch.stack([x, -x], 2).flatten(1, 2)[:, : x.shape[1]],
    lambda x: torch.stack(torch.unbind(x, 3), 2).transpose(2, 3),
    lambda x: torch.roll(x, 3),
    lambda x: torch.roll(x.flip((2, 3)), -1, 3),
    lambda x: torch.rot90(x, 2, (2, 3)),
    lambda x: x.permute(2, 0, 3, 1).permute(1, 3, 0, 2),
    lambda x: x.movedim(1, -1).movedim(-1, 1),
    lambda x: x.swapaxes(1, 3).swapaxes(1, 3) + x.transpose(-1, -2).mT,
    lambda x: x.unsqueeze(0).squeeze(0)[None, ...][0],
    lambda x: x.flatten(2).unflatten(2, x.shape[2:]),
    lambda x: x.expand(2, *x.shape)[1],
    lambda x: x.unfold(3, 2, 1).mean(-1),
    lambda x: x.narrow(2, 0, x.shape[2] - 1),
    lambda x: x[:, [2, 0, 3, 1, -1]],
    lambda x: x.index_select(1, torch.arange(x.shape[1] - 1, -1, -1)),
    lambda x: x.gather(1, x.argsort(1)),
    lambda x: torch.take_along_dim(x, x.argmax(1, keepdim=True), 1) + x,
    lambda x: x.tile(1, 1, 1, 2)[..., : x.shape[3]],
    lambda x: F.channel_shuffle(x, 2),
    lambda x: x.reshape(x.shape[0], -1).reshape(x.shape).view(*x.shape).contiguous(),
    lambda x: x.to(torch.float32).clone().detach(),
    lambda x: x[:, -1:].expand_as(x) + x,
    lambda x: x.split([1, x.shape[1] - 1], 1)[1].mean(1, keepdim=True) + x,
    lambda x: torch.cat(torch.meshgrid(x[0, 0, 0], x[0, 0, :, 0], indexing="ij"), 1).mean() + x,
)  # fmt: skip

CONSTANTS: tuple[Plain, ...] = (
    lambda x: x + torch.linspace(-1, 1, x.shape[3]).view(1, 1, 1, -1),
    lambda x: x * torch.ones_like(x[:, :1]).mul(0.5).add(0.25),
    lambda x: x + torch.arange(x.shape[1]).view(-1, 1, 1) / 10,
    lambda x: x + torch.eye(x.shape[2], x.shape[3]).triu(1),
    lambda x: x.masked_fill(torch.ones(x.shape[2:], dtype=torch.bool).tril(), 0.1),
    lambda x: x + torch.zeros(x.shape[0], 1, 1, 1, dtype=x.dtype, device=x.device),
    lambda x: x + torch.full((1, x.shape[1], 1, 1), 0.3),
    lambda x: x * torch.tensor([1.0, 0.5]).repeat(x.shape[1]).view(1, -1, 1, 1)[:, : x.shape[1]],
    lambda x: x + x.new_tensor([0.1, 0.2]).sum(),
    lambda x: x * torch.linspace(0, 1, x.shape[1], dtype=torch.float64).view(-1, 1, 1).float(),
    lambda x: x + (torch.arange(x.shape[2])[:, None] - torch.arange(x.shape[3])[None]).abs() / 9,
    lambda x: x + torch.sin(torch.outer(torch.arange(x.shape[2]) / 3, torch.ones(x.shape[3]))),
)


def _accumulate(x: torch.Tensor, k: nn.Module) -> torch.Tensor:
    total = torch.zeros_like(x)
    for part in (x, k(x), F.relu(x)):
        total += part
    return total


def _sub_mul_div(x: torch.Tensor, k: nn.Module) -> torch.Tensor:
    y = k(x)
    y -= x
    y *= 0.5
    y /= 2 + x.mean() ** 2
    return y


def _relu_on_a_view(x: torch.Tensor, k: nn.Module) -> torch.Tensor:
    y = k(x)
    y[:, 1:3].relu_()
    return y + x


def _relu_on_a_chunk(x: torch.Tensor, k: nn.Module) -> torch.Tensor:
    a, b = k(x).chunk(2, 1)
    return torch.cat([F.relu_(a), b.add_(1)], 1)


def _fill(x: torch.Tensor, k: nn.Module) -> torch.Tensor:
    y = k(x)
    y[:, :, 0] = 0
    y[..., -1].fill_(0.5)
    y[:, 0] += 1
    return y


def _buffer(x: torch.Tensor, k: nn.Module) -> torch.Tensor:
    out = torch.empty_like(x)
    out[:, ::2] = k(x)[:, ::2]
    out[:, 1::2] = x[:, 1::2].tanh()
    return out


def _clamp(x: torch.Tensor, k: nn.Module) -> torch.Tensor:
    return k(x).clamp_(-1, 1).mul_(2).add_(x, alpha=0.5).sigmoid_()


def _masked(x: torch.Tensor, k: nn.Module) -> torch.Tensor:
    y = k(x)
    y.masked_fill_(y < 0, 0.1)
    return y.squeeze_(0).unsqueeze_(0) if x.shape[0] == 1 else y


def _wider(x: torch.Tensor, k: nn.Module) -> torch.Tensor:
    """The sum in place stays float32; out of place it would be float64."""
    y = k(x)
    y += torch.linspace(0, 1, x.shape[3], dtype=torch.float64)
    return y


def _copy(x: torch.Tensor, k: nn.Module) -> torch.Tensor:
    y = torch.zeros_like(x)
    y.copy_(k(x).mean(1, keepdim=True))
    return y + x


def _dropout_view(x: torch.Tensor, k: nn.Module) -> torch.Tensor:
    y = k(x)
    z = F.dropout2d(y, 0.5, training=False)
    z += 1
    return y * z


def _first_write_then_read(x: torch.Tensor, k: nn.Module) -> torch.Tensor:
    y = k(x)
    kept = y * 1.5
    z = y.transpose(2, 3)
    z.add_(1)
    return kept - y


def _list_of_maps(x: torch.Tensor, k: nn.Module) -> torch.Tensor:
    maps = [x]
    for _ in range(3):
        maps.append(F.relu(k(maps[-1]), inplace=True))
    return torch.stack(maps).mean(0)


IN_PLACE = (
    _accumulate, _sub_mul_div, _relu_on_a_view, _relu_on_a_chunk, _fill, _buffer, _clamp, _masked, _wider, _copy,
    _dropout_view, _first_write_then_read, _list_of_maps,
)  # fmt: skip


def written(r: random.Random, s: Shape) -> nn.Module | None:
    if s[0] % 2 or min(s[1:]) < 3:
        return None
    kernel = nn.Conv2d(s[0], s[0], 1) if r.random() < 0.5 else conv_bn(s[0], s[0], 3, padding=1)
    return Fn(r.choice(IN_PLACE), kernel)


def scaled(r: random.Random, s: Shape) -> nn.Module:
    """Layer scales and affine maps beside convolutions, as modules own them."""
    c = s[0]
    spelling: Callable[..., torch.Tensor] = r.choice(
        [
            lambda x, k, g: x + g() * k(x),
            lambda x, k, g: x + k(x).mul(g()),
            lambda x, k, g: k(x * g()) - x,
            lambda x, k, g: (k(x) - g()) / 2 + x,
            lambda x, k, g: g() - k(x),
            lambda x, k, g: k(x) / (g().abs() + 1),
            lambda x, k, g: (g() - x) + torch.sub(x, k(x), alpha=3),
            lambda x, k, g: torch.add(g(), k(x), alpha=2),
            lambda x, k, g: k(x).transpose(1, 3).mul(g().flatten()).transpose(1, 3),
        ]
    )
    return Fn(spelling, conv_bn(c, c, 3, padding=1), Constant(c, 1, 1))


def reweighted(r: random.Random, s: Shape) -> nn.Module:
    """Convolutions whose weight is worked out in `forward`: from parameters, or from the image."""
    c = s[0]

    def standardised(x: torch.Tensor, w: nn.Module) -> torch.Tensor:
        mean, deviation = w().mean((1, 2, 3), keepdim=True), w().std((1, 2, 3), keepdim=True)
        return F.conv2d(x, (w() - mean) / (deviation + 1e-5), padding=1)

    def difference(x: torch.Tensor, w: nn.Module) -> torch.Tensor:
        """Central difference: the kernel's sum is taken from its middle."""
        total = w().sum((2, 3), keepdim=True)
        return F.conv2d(x, w(), padding=1) - 0.7 * F.conv2d(x, total)

    def dynamic(x: torch.Tensor, w: nn.Module) -> torch.Tensor:
        kernel = w().mean(1, keepdim=True) * x.mean((0, 2, 3)).view(-1, 1, 1, 1)
        return F.conv2d(x, kernel, padding=1, groups=c) + x

    def shared(x: torch.Tensor, w: nn.Module) -> torch.Tensor:
        """One weight read twice, once flipped."""
        return F.conv2d(F.relu(F.conv2d(x, w(), padding=1)), w().flip(2).transpose(0, 1), padding=1)

    return Fn(
        r.choice([standardised, difference, dynamic, shared]), Constant(c, c, 3, 3, scale=0.3)
    )


def dense(r: random.Random, s: Shape) -> nn.Module | None:
    """Linear regions of maps: sums of chains nested in sums, with pads, pools, shifts and signs among them."""
    c, h, w = s
    if min(h, w) < 6 or c > 16:
        return None

    def region(depth: int) -> nn.Module:
        groups = r.choice([g for g in (1, 1, 2, c) if c % g == 0])
        k = r.choice([1, 3, 5])
        leaf: list[Callable[[], nn.Module]] = [
            lambda: nn.Conv2d(c, c, k, 1, k // 2, groups=groups, bias=r.random() < 0.4),
            lambda: nn.Conv2d(c, c, 3, 1, 2, 2, groups, bias=False),
            lambda: nn.Conv2d(c, c, (1, 3), padding=(0, 1), bias=False, groups=groups),
            lambda: nn.BatchNorm2d(c, affine=r.random() < 0.8),
            lambda: nn.AvgPool2d(3, 1, 1, divisor_override=r.choice([None, 4])),
            lambda: nn.Sequential(nn.ZeroPad2d((1, 0, 2, 1)), nn.Conv2d(c, c, (4, 2), bias=False)),
            lambda: Fn(lambda x: F.pad(x, (1, -1))),
            lambda: Fn(lambda x: -x / 3),
            lambda: nn.Dropout(0.2),
        ]
        if depth == 0:
            return r.choice(leaf)()
        parts = [region(depth - 1) for _ in range(r.randint(2, 3))]
        if r.random() < 0.5:
            return nn.Sequential(*parts)
        sign = r.choice([1, -1])
        return Fn(lambda x, a, *rest: a(x) + sign * sum(p(x) for p in rest), *parts)

    return region(r.choice([1, 2]))


activations = several(ACTIVATIONS, 2)
arithmetic = several(ARITHMETIC, 2)
moved = several(MOVES, 2)
constants = several(CONSTANTS, 2)

SPELLINGS: tuple[Block, ...] = (
    activations, arithmetic, arithmetic, moved, moved, constants, written, written, scaled, reweighted, dense, dense,
)  # fmt: skip
