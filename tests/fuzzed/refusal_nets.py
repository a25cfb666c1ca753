"""Small nets that torch runs and that once ended in a traceback, or in a refusal that misled. One builder each."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

Built = tuple[nn.Module, tuple[torch.Tensor, ...]]


class Net(nn.Module):
    """A 1x1 convolution to four channels, and what `after` makes of it."""

    def __init__(self, after: Callable[..., Any], channels: int = 4) -> None:
        super().__init__()
        self.c = nn.Conv2d(3, channels, 1)
        self.after = after

    def forward(self, x: torch.Tensor, *others: torch.Tensor) -> Any:
        return self.after(self.c(x), *others)


def image() -> torch.Tensor:
    return torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def after(function: Callable[..., Any], channels: int = 4) -> Built:
    torch.manual_seed(0)
    return Net(function, channels).eval(), (image(),)


def small_cnn() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 4, 1)
    ).eval()


# Memory order


def permuted_input() -> Built:
    return small_cnn(), (image().permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2),)


def channels_last_input() -> Built:
    return small_cnn(), (image().to(memory_format=torch.channels_last),)


def expanded_input() -> Built:
    return small_cnn(), (image()[:, :1].expand(1, 3, 8, 8),)


def channels_last_weights() -> Built:
    model = small_cnn().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model, (image(),)


# Python


def item_factor() -> Built:
    return after(lambda y: y * y.mean().item())


def item_arithmetic() -> Built:
    def normed(y: torch.Tensor) -> torch.Tensor:
        mean, peak = y.mean().item(), y.abs().max().item()
        return (y - mean) / (peak + 1e-5) + (1 - mean) * y.clamp(max=peak) + y * peak**2

    return after(normed)


def item_filled() -> Built:
    return after(lambda y: y + torch.full((8,), y.mean().item()))


def _named(name: str) -> Built:
    torch.manual_seed(0)

    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add_module(name, nn.Conv2d(3, 4, 1))
            self.last = nn.Conv2d(4, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(getattr(self, name)(x).relu())

    return Named().eval(), (image(),)


def named_class() -> Built:
    return _named("class")


def named_import() -> Built:
    return _named("import")


def named_lambda() -> Built:
    return _named("lambda")


def named_graph() -> Built:
    """An attribute that torch's graph modules have themselves."""
    return _named("graph")


def named_dash() -> Built:
    return _named("conv-1")


def named_blank() -> Built:
    return _named("x y")


def named_alike() -> Built:
    """Names that would be one once they are cleaned."""
    torch.manual_seed(0)

    class Alike(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleDict({"a-b": nn.Conv2d(3, 4, 1), "a_b": nn.Conv2d(3, 4, 1)})

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.parts["a-b"](x) - self.parts["a_b"](x).relu()

    return Alike().eval(), (image(),)


# Norms


def _tokens(h: torch.Tensor) -> torch.Tensor:
    return h.permute(0, 2, 3, 1)


def plain_norm_nhwc() -> Built:
    return after(lambda h: _tokens(h) + F.layer_norm(_tokens(h).relu(), (4,)))


def plain_norm_twice() -> Built:
    return after(lambda h: F.layer_norm(F.layer_norm(_tokens(h), (4,)) + _tokens(h), (4,)))


def plain_norm_sum() -> Built:
    return after(lambda h: F.layer_norm(_tokens(h), (4,)) + F.layer_norm(_tokens(h.relu()), (4,)))


# Transforms


def vmap() -> Built:
    return after(lambda h: torch.vmap(lambda t: t * t.amax())(h))


def vmap_inner() -> Built:
    return after(lambda h: torch.vmap(lambda t: t - t.mean(0), in_dims=1, out_dims=1)(h))


def func_grad() -> Built:
    return after(lambda h: torch.func.grad(lambda t: t.pow(3).sum())(h))


def func_jvp() -> Built:
    return after(lambda h: torch.func.jvp(lambda t: t.sin(), (h,), (torch.ones_like(h),))[1])


# What the callable returns


def exported_module() -> Built:
    return torch.export.export(small_cnn(), (image(),)).module(), (image(),)


def lazy_module() -> Built:
    return nn.Sequential(nn.LazyConv2d(4, 1), nn.ReLU()), (image(),)


def scalar_input() -> Built:
    model, (x,) = after(lambda h, k: h * k + k)
    return model, (x, torch.tensor(0.7))


# Ops


def logical_xor() -> Built:
    return after(lambda h: torch.logical_xor(h > 0, h > 1).float() * h)


def logical_xor_floats() -> Built:
    return after(lambda h: torch.logical_xor(h.relu(), (h - 1).relu()).float() + h)


def linalg_solve() -> Built:
    return after(lambda h: torch.linalg.solve(h[0, :, :4, :4], h[0, :, 4:, 4:]))


def linalg_cholesky() -> Built:
    return after(lambda h: torch.linalg.cholesky(h[0] @ h[0].mT + 8 * torch.eye(8)))


def affine_grid() -> Built:
    return after(
        lambda h: F.affine_grid(
            h.mean((2, 3))[:, [0, 1, 2, 3, 0, 1]].reshape(1, 2, 3),
            [1, 4, 8, 8],
            align_corners=False,
        )
    )


def affine_grid_corners() -> Built:
    return after(
        lambda h: F.affine_grid(
            h.mean((2, 3))[:, [0, 1, 2, 3, 0, 1]].reshape(1, 2, 3), [1, 4, 6, 8], align_corners=True
        )
    )


def complex_rotary() -> Built:
    return after(
        lambda h: torch.view_as_real(
            torch.view_as_complex(h.reshape(1, 4, 4, 8, 2)) * torch.exp(1j * torch.arange(8.0))
        ).flatten(3)
    )


def complex_output() -> Built:
    return after(lambda h: torch.view_as_complex(h.reshape(1, 4, 8, 4, 2).contiguous()))


def complex_spectrum() -> Built:
    return after(lambda h: torch.fft.rfft2(h))


def sparse_mm() -> Built:
    torch.manual_seed(0)

    class Sparse(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.c = nn.Conv2d(3, 4, 1)
            self.register_buffer("graph", torch.eye(4).to_sparse())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sparse.mm(self.graph, self.c(x)[0].flatten(1))

    return Sparse().eval(), (image(),)


def diagonal_fill() -> Built:
    def write(h: torch.Tensor) -> torch.Tensor:
        y = h * 2
        y.diagonal(dim1=2, dim2=3).fill_(3)
        y[:, 0] += 1
        return y

    return after(write)


# Files that a runtime refuses


def scatter_add_places() -> Built:
    def places(h: torch.Tensor) -> torch.Tensor:
        flat = h.flatten(2)
        index = (flat.abs() * 3).long().clamp(0, 9)
        return torch.zeros(1, 4, 10).scatter_add(2, index, flat)

    return after(places)


def sum_of_seven_axes() -> Built:
    return after(lambda h: h.reshape(1, 2, 2, 2, 4, 2, 4).sum((2, 4, 6)))


def index_put_sum() -> Built:
    def put(h: torch.Tensor) -> torch.Tensor:
        flat = h.flatten()
        index = (flat.abs() * 3).long().clamp(0, 9)
        return torch.zeros(10).index_put((index,), flat, accumulate=True)

    return after(put)


def scatter_reduce_amax() -> Built:
    def reduce(h: torch.Tensor) -> torch.Tensor:
        flat = h.flatten(2)
        index = (flat.abs() * 3).long().clamp(0, 9)
        return torch.zeros(1, 4, 10).scatter_reduce(2, index, flat, "amax")

    return after(reduce)


def avg_pool1d_ceil() -> Built:
    return after(
        lambda h: F.avg_pool1d(h.flatten(2), 4, 3, 2, ceil_mode=True, count_include_pad=False)
    )


def scatter_larger_source() -> Built:
    return after(lambda h: torch.zeros(1, 4, 8, 8).scatter(1, h.argmax(1, keepdim=True), h))


def fft_of_ten() -> Built:
    return after(lambda h: torch.fft.fft(h, n=10, norm="ortho").abs())


# Higher order


def cond() -> Built:
    return after(lambda y: torch.cond(y.mean() > 0, lambda t: t * 2, lambda t: t - 1, (y,)))


def cond_of_layers() -> Built:
    torch.manual_seed(0)

    class Choice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            sides = (lambda t: (self.one(t), t * 2), lambda t: (self.other(t), t - 1))
            y, z = torch.cond(x.mean() > 0, *sides, (x,))
            return y + z.mean(1, keepdim=True)

    return Choice().eval(), (image(),)


def scanned() -> Built:
    from torch._higher_order_ops.scan import scan

    return after(
        lambda h: scan(lambda c, t: (c + t, (c * t).clone()), torch.zeros(1, 4, 8), h, dim=3)[1]
    )


def flex_attention() -> Built:
    from torch.nn.attention.flex_attention import flex_attention as attend

    def attention(h: torch.Tensor) -> torch.Tensor:
        t = h.flatten(2).mT.unsqueeze(1).repeat(1, 1, 1, 4)
        return attend(t, t, t, score_mod=lambda s, b, n, q, k: s + (q - k) * 0.01)

    return after(attention)


# Types


def half_model() -> Built:
    model, (x,) = after(lambda h: h.relu() * 2)
    return model.half(), (x.half(),)


def half_inside() -> Built:
    model, (x,) = after(lambda h: h.relu() * 2)

    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = model.half()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x.half()).float()

    return Half().eval(), (x,)


def bfloat16_inside() -> Built:
    model, (x,) = after(lambda h: h.relu() * 2)

    class Brain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = model.bfloat16()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x.bfloat16()).float()

    return Brain().eval(), (x,)


def double_inside() -> Built:
    model, (x,) = after(lambda h: h.relu() * 2)

    class Double(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = model.double()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x.double()).float()

    return Double().eval(), (x,)


def bfloat16_middle() -> Built:
    return after(lambda h: h.bfloat16().relu().float())


def bfloat16_model() -> Built:
    model, (x,) = after(lambda h: h.relu() * 2)
    return model.bfloat16(), (x.bfloat16(),)


def double_model() -> Built:
    model, (x,) = after(lambda h: h.relu() * 2)
    return model.double(), (x.double(),)


def bfloat16_output() -> Built:
    return after(lambda h: h.relu().bfloat16())


# Names of the user's ops


def pool_places() -> Built:
    return after(lambda h: F.max_pool2d(h, 3, 2, return_indices=True)[1].float())


def native_layer_norm() -> Built:
    return after(lambda h: torch.native_layer_norm(h, [8], None, None, 1e-5)[2])


def bucketize() -> Built:
    return after(lambda h: torch.bucketize(h, torch.tensor([-1.0, 0.0, 1.0])).float())


def bucketize_right() -> Built:
    edges = torch.tensor([-1.0, 0.0, 0.5])
    return after(lambda h: torch.bucketize(h.relu(), edges, right=True, out_int32=True).float())


def grid_sample_bicubic() -> Built:
    return after(
        lambda h: F.grid_sample(
            h, h[:, :2].permute(0, 2, 3, 1).tanh(), mode="bicubic", align_corners=False
        )
    )


def quantize_dynamic() -> Built:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(256, 8)).eval()
    with warnings.catch_warnings(action="ignore"):
        quantized = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, torch.qint8)
    return quantized, (image(),)
