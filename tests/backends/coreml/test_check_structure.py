"""Operations with geometry: convolution, pooling, products, moving, gathering, resizing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgevit.backends.coreml.check.ops.image_resizing import sample_points
from tests.backends.coreml.check_packages import Case, assert_cases, builder, rel_l2, run_module

mb = builder()


def op(name: str, reference: object, **options: object) -> Case:
    return (lambda x: getattr(mb, name)(x=x, **options), reference)  # type: ignore[return-value]


@pytest.fixture
def image() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {"x": torch.randn(1, 4, 7, 10)}


def test_convolutions(tmp_path: Path, image: dict[str, Tensor]) -> None:
    torch.manual_seed(1)
    w, b = torch.randn(6, 2, 3, 2), torch.randn(6)
    t = torch.randn(4, 3, 3, 2)
    grouped = {"weight": w.numpy(), "bias": b.numpy(), "groups": 2}
    cases = {
        "valid": op("conv", lambda x: F.conv2d(x, w, b, groups=2), pad_type="valid", **grouped),
        "custom": op(
            "conv",
            lambda x: F.conv2d(F.pad(x, (3, 0, 1, 2)), w, b, (2, 1), 0, (1, 2), 2),
            pad_type="custom",
            pad=[1, 2, 3, 0],
            strides=[2, 1],
            dilations=[1, 2],
            **grouped,
        ),
        "same": op(
            "conv",
            lambda x: F.conv2d(x, w, b, padding="same", groups=2),
            pad_type="same",
            **grouped,
        ),
        "same_lower": op(
            "conv",
            lambda x: F.conv2d(F.pad(x, (1, 0, 1, 1)), w, b, groups=2),
            pad_type="same_lower",
            **grouped,
        ),
        "same strided": op(
            "conv",
            lambda x: F.conv2d(F.pad(x, (0, 0, 1, 1)), w, b, 2, groups=2),
            pad_type="same",
            strides=[2, 2],
            **grouped,
        ),
        "transpose": op(
            "conv_transpose",
            lambda x: F.conv_transpose2d(x, t, None, (2, 1), 0, 0, 1, (1, 2))[..., 1:-1, 2:],
            weight=t.numpy(),
            pad_type="custom",
            pad=[1, 1, 2, 0],
            strides=[2, 1],
            dilations=[1, 2],
        ),
        "transpose same": op(
            "conv_transpose",
            lambda x: F.conv_transpose2d(x, t, torch.ones(3), 2)[..., :14, :20],
            weight=t.numpy(),
            bias=np.ones(3, np.float32),
            pad_type="same",
            strides=[2, 2],
        ),
    }
    assert_cases(tmp_path, cases, image)


@pytest.mark.parametrize("output_padding", [0, 1])
def test_conv_transpose_module(tmp_path: Path, output_padding: int) -> None:
    """With an output padding the converter gives an explicit output shape."""
    torch.manual_seed(0)
    module = nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding, groups=2)
    _, run, wanted = run_module(tmp_path, module, torch.randn(1, 4, 5, 6))
    (ours,) = run.outputs.values()
    assert rel_l2(ours, wanted) < 1e-6


def test_conv_1d_and_3d(tmp_path: Path) -> None:
    torch.manual_seed(0)
    x, w = torch.randn(1, 3, 4, 5, 6), torch.randn(2, 3, 2, 3, 1)
    cases = {
        "3d": op(
            "conv",
            lambda x: F.conv3d(x, w, padding=(1, 0, 2)),
            weight=w.numpy(),
            pad_type="custom",
            pad=[1, 1, 0, 0, 2, 2],
        ),
        "1d": (
            lambda x: mb.conv(
                x=mb.reshape(x=x, shape=[1, 3, 120]),
                weight=w[:, :, 0, :, 0].numpy(),
                pad_type="valid",
            ),
            lambda x: F.conv1d(x.reshape(1, 3, 120), w[:, :, 0, :, 0]),
        ),
        "pool 3d": op(
            "avg_pool",
            lambda x: F.avg_pool3d(x, 2, 2),
            kernel_sizes=[2, 2, 2],
            strides=[2, 2, 2],
            pad_type="valid",
        ),
    }
    assert_cases(tmp_path, cases, {"x": x})


def test_pools(tmp_path: Path, image: dict[str, Tensor]) -> None:
    size = {"kernel_sizes": [3, 2], "strides": [2, 2]}
    padded = {**size, "pad_type": "custom", "pad": [1, 1, 1, 1]}
    lopsided = {**size, "pad_type": "custom", "pad": [2, 0, 0, 1]}
    inf = float("-inf")
    cases = {
        "max": op("max_pool", lambda x: F.max_pool2d(x, (3, 2), 2), pad_type="valid", **size),
        "max padded": op("max_pool", lambda x: F.max_pool2d(x, (3, 2), 2, 1), **padded),
        "max ceil": op(
            "max_pool",
            lambda x: F.max_pool2d(x, 2, 2, ceil_mode=True),
            kernel_sizes=[2, 2],
            strides=[2, 2],
            pad_type="valid",
            ceil_mode=True,
        ),
        "max lopsided": op(
            "max_pool",
            lambda x: F.max_pool2d(F.pad(x, (0, 1, 2, 0), value=inf), (3, 2), 2),
            **lopsided,
        ),
        "avg": op("avg_pool", lambda x: F.avg_pool2d(x, (3, 2), 2, 1), **padded),
        "avg excluded": op(
            "avg_pool",
            lambda x: F.avg_pool2d(x, (3, 2), 2, 1, count_include_pad=False),
            exclude_padding_from_average=True,
            **padded,
        ),
        "avg lopsided": op(
            "avg_pool", lambda x: F.avg_pool2d(F.pad(x, (0, 1, 2, 0)), (3, 2), 2), **lopsided
        ),
        "avg same": op(
            "avg_pool",
            lambda x: F.avg_pool2d(F.pad(x, (0, 1, 1, 1)), (3, 2), 1),
            kernel_sizes=[3, 2],
            pad_type="same",
        ),
        "l2": op(
            "l2_pool",
            lambda x: (F.avg_pool2d(x * x, (3, 2), 2) * 6).sqrt(),
            pad_type="valid",
            **size,
        ),
    }
    assert_cases(tmp_path, cases, image)


def test_products(tmp_path: Path) -> None:
    torch.manual_seed(0)
    x, w, b = torch.randn(2, 3, 4, 5), torch.randn(6, 5), torch.randn(6)
    y = torch.randn(2, 5, 4, 7)
    cases = {
        "linear": op("linear", lambda x: F.linear(x, w, b), weight=w.numpy(), bias=b.numpy()),
        "matmul": (lambda x: mb.matmul(x=x, y=w.numpy(), transpose_y=True), lambda x: x @ w.T),
        "transposed": (
            lambda x: mb.matmul(x=x, y=x, transpose_x=True),
            lambda x: x.transpose(-1, -2) @ x,
        ),
        "einsum": (
            lambda x: mb.einsum(values=(x, y.numpy()), equation="nchw,nwhu->nchu"),
            lambda x: torch.einsum("nchw,nwhu->nchu", x, y),
        ),
    }
    assert_cases(tmp_path, cases, {"x": x})


def test_attention(tmp_path: Path) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 2, 6, 4)
    mask, keep = torch.randn(6, 6), torch.rand(6, 6) > 0.3
    cases = {
        "plain": (
            lambda x: mb.scaled_dot_product_attention(query=x, key=x, value=x),
            lambda x: torch.softmax(x @ x.mT / 2, -1) @ x,
        ),
        "mask": (
            lambda x: mb.scaled_dot_product_attention(
                query=x, key=x, value=x, attn_mask=mask.numpy()
            ),
            lambda x: torch.softmax(x @ x.mT / 2 + mask, -1) @ x,
        ),
        "bool mask": (
            lambda x: mb.scaled_dot_product_attention(
                query=x, key=x, value=x, attn_mask=keep.numpy()
            ),
            lambda x: torch.softmax((x @ x.mT / 2).masked_fill(~keep, -torch.inf), -1) @ x,
        ),
        "slice_update": (
            lambda x: mb.slice_update(
                x=x,
                update=np.zeros((1, 2, 3, 2), np.float32),
                begin=[0, 0, 5, 1],
                end=[1, 2, 0, 3],
                stride=[1, 1, -2, 1],
                end_mask=[False, False, True, False],
            ),
            lambda x: torch.cat(
                [x[..., :1], x[..., 1:3] * torch.tensor([1.0, 0, 1, 0, 1, 0])[:, None], x[..., 3:]],
                -1,
            ),
        ),
    }
    assert_cases(tmp_path, cases, {"x": x}, target="iOS18")


def test_moving(tmp_path: Path, image: dict[str, Tensor]) -> None:
    cases = {
        "reshape": op("reshape", lambda x: x.reshape(1, 4, 70), shape=[1, 4, -1]),
        "reshape zero": op("reshape", lambda x: x.reshape(1, 1, 28, 10), shape=[1, 1, -1, 0]),
        "transpose": op("transpose", lambda x: x.permute(0, 3, 1, 2), perm=[0, -1, 1, 2]),
        "expand": op("expand_dims", lambda x: x[..., None], axes=[-1]),
        "squeeze": op("squeeze", lambda x: x[0], axes=[0]),
        "reverse": op("reverse", lambda x: x.flip(1, 3), axes=[1, -1]),
        "sequence": op(
            "reverse_sequence",
            lambda x: torch.stack(
                [
                    x[:, i, [*range(n - 1, -1, -1), *range(n, 7)]]
                    for i, n in enumerate((1, 7, 3, 4))
                ],
                1,
            ),
            lengths=[1, 7, 3, 4],
            seq_axis=2,
            batch_axis=1,
        ),
        "slice": op(
            "slice_by_index",
            lambda x: x[:, 1:3, ::2, 2],
            begin=[0, 1, 0, 2],
            end=[1, 3, 7, 3],
            stride=[1, 1, 2, 1],
            squeeze_mask=[False, False, False, True],
        ),
        "slice back": op(
            "slice_by_index",
            lambda x: x.flip(2)[:, -2:, ::3],
            begin=[0, -2, -1, 0],
            end=[0, 0, 0, 0],
            stride=[1, 1, -3, 1],
            begin_mask=[True, False, False, True],
            end_mask=[True, True, True, True],
        ),
        "slice size": op(
            "slice_by_size", lambda x: x[:, 1:, 2:5, -3:-1], begin=[0, 1, 2, -3], size=[1, -1, 3, 2]
        ),
        "windows": op(
            "sliding_windows", lambda x: x.unfold(2, 3, 2).movedim(-1, 3), axis=2, size=3, stride=2
        ),
        "pad": op(
            "pad", lambda x: F.pad(x, (1, 2, 3, 0), value=0.5), pad=[3, 0, 1, 2], constant_val=0.5
        ),
        "pad reflect": op(
            "pad", lambda x: F.pad(x, (1, 2, 3, 0), "reflect"), pad=[3, 0, 1, 2], mode="reflect"
        ),
        "pad replicate": op(
            "pad",
            lambda x: F.pad(x, (1, 2, 3, 0), "replicate"),
            pad=[0, 0, 3, 0, 1, 2],
            mode="replicate",
        ),
        "shuffle": op("pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), upscale_factor=2),
        "depth": op(
            "depth_to_space",
            lambda x: torch.stack(
                [torch.stack([x[:, 0], x[:, 1]], -1), torch.stack([x[:, 2], x[:, 3]], -1)], 2
            ).reshape(1, 1, 14, 20),
            block_size=2,
        ),
        "tile": op("tile", lambda x: x.repeat(2, 1, 1, 3), reps=[2, 1, 1, 3]),
        "flatten": op("flatten2d", lambda x: x.reshape(28, 10), axis=-1),
        "band": op("band_part", lambda x: x.tril(2).triu(-1), lower=1, upper=2),
        "identity": op("identity", lambda x: x),
        "cumsum": op(
            "cumsum",
            lambda x: x.flip(2).cumsum(2).flip(2) - x,
            axis=2,
            exclusive=True,
            reverse=True,
        ),
        "space": (
            lambda x: mb.depth_to_space(
                x=mb.space_to_depth(x=mb.pad(x=x, pad=[0, 1, 0, 0]), block_size=2), block_size=2
            ),
            lambda x: F.pad(x, (0, 0, 0, 1)),
        ),
        "unshuffle": (
            lambda x: mb.pixel_unshuffle(
                x=mb.pixel_shuffle(x=x, upscale_factor=2), downscale_factor=np.uint32(2)
            ),
            lambda x: x,
        ),
        "batch": (
            lambda x: mb.batch_to_space(
                x=mb.space_to_batch(x=x, block_shape=[2, 5], paddings=np.array([[1, 0], [0, 0]])),
                block_shape=[2, 5],
                crops=np.array([[1, 0], [0, 0]]),
            ),
            lambda x: x,
        ),
    }
    cases["space_to_batch"] = op(
        "space_to_batch",
        lambda x: torch.cat([x[..., ::2], x[..., 1::2]], 0),
        block_shape=[1, 2],
        paddings=np.array([[0, 0], [0, 0]]),
    )
    cases["reshape_like"] = (
        lambda x: mb.reshape_like(
            x=x, ref_tensors=(x, x), begins=(0, 3), ends=(3, 0), end_masks=(False, True)
        ),
        lambda x: x,
    )
    assert_cases(tmp_path, cases, image)


def test_building(tmp_path: Path, image: dict[str, Tensor]) -> None:
    cases = {
        "concat": (lambda x: mb.concat(values=(x, x), axis=-2), lambda x: torch.cat([x, x], -2)),
        "interleave": (
            lambda x: mb.concat(values=(x, mb.square(x=x)), axis=1, interleave=True),
            lambda x: torch.stack([x, x * x], 2).flatten(1, 2),
        ),
        "stack": (
            lambda x: mb.stack(values=(x, mb.square(x=x)), axis=-1),
            lambda x: torch.stack([x, x * x], -1),
        ),
        "split even": (lambda x: mb.split(x=x, num_splits=2, axis=1)[1], lambda x: x[:, 2:]),
        "split sizes": (
            lambda x: mb.split(x=x, split_sizes=[1, 5, 4], axis=-1)[1],
            lambda x: x[..., 1:6],
        ),
        "topk": (lambda x: mb.topk(x=x, k=3, axis=2)[0], lambda x: x.topk(3, 2)[0]),
        "topk places": (
            lambda x: mb.topk(x=x, k=3, axis=2, ascending=True)[1],
            lambda x: x.topk(3, 2, largest=False)[1],
        ),
        "argsort": op("argsort", lambda x: x.argsort(1, descending=True), axis=1),
        "shape": op("shape", lambda x: torch.tensor(x.shape)),
        "fill": (lambda x: mb.add(x=mb.fill(shape=[7, 10], value=2.0), y=x), lambda x: x + 2),
        "fill_like": (
            lambda x: mb.add(x=mb.fill_like(ref_tensor=x, value=3.0), y=x),
            lambda x: x + 3,
        ),
        "range": (
            lambda x: mb.add(x=mb.range_1d(start=1.0, end=21.0, step=2.0), y=x),
            lambda x: x + torch.arange(1.0, 21.0, 2.0),
        ),
        "one_hot": (
            lambda x: mb.one_hot(
                indices=mb.reduce_argmax(x=x, axis=1),
                one_hot_vector_size=5,
                axis=1,
                on_value=2.0,
                off_value=-1.0,
            ),
            lambda x: F.one_hot(x.argmax(1), 5).movedim(-1, 1) * 3.0 - 1,
        ),
        "crop": op("crop", lambda x: x[:, :, 1:-2, 3:], crop_height=[1, 2], crop_width=[3, 0]),
        "quantize": (
            lambda x: mb.dequantize(
                input=mb.quantize(
                    input=x, scale=np.float32(0.1), zero_point=np.int8(3), output_dtype="int8"
                ),
                scale=np.float32(0.1),
                zero_point=np.int8(3),
            ),
            lambda x: torch.fake_quantize_per_tensor_affine(x, 0.1, 3, -128, 127),
        ),
        "quantize channels": (
            lambda x: mb.cast(
                x=mb.quantize(
                    input=x,
                    scale=np.array([0.1, 0.01, 1, 2], np.float32),
                    output_dtype="int8",
                    axis=1,
                ),
                dtype="fp32",
            ),
            lambda x: (
                torch.quantize_per_channel(
                    x, torch.tensor([0.1, 0.01, 1, 2]), torch.zeros(4), 1, torch.qint8
                )
                .int_repr()
                .float()
            ),
        ),
    }
    assert_cases(tmp_path, cases, image)


def test_gathering(tmp_path: Path) -> None:
    torch.manual_seed(0)
    x, new = torch.randn(3, 4, 5), torch.randn(3, 2, 5)
    places = torch.randint(0, 4, (3, 2, 5))
    batch = torch.tensor([[[0], [2]], [[1], [1]], [[3], [0]]])
    at = torch.tensor([[0, 1], [2, 3]])
    rows = torch.randn(2, 5)

    def ints(t: Tensor) -> np.ndarray:
        return t.numpy().astype(np.int32)

    cases = {
        "gather": op("gather", lambda x: x[:, [3, 0]], indices=np.array([3, 0], np.int32), axis=1),
        "gather table": op("gather", lambda x: x[..., at], indices=ints(at), axis=-1),
        "gather batch": op(
            "gather",
            lambda x: torch.stack([x[i, :, p] for i, p in enumerate(places[:, :, 0])]),
            indices=ints(places[:, :, 0]),
            axis=2,
            batch_dims=1,
        ),
        "along": op(
            "gather_along_axis", lambda x: x.gather(1, places), indices=ints(places), axis=1
        ),
        "nd": op("gather_nd", lambda x: x[at[:, 0], at[:, 1]], indices=ints(at)),
        "nd batch": op(
            "gather_nd",
            lambda x: torch.stack([x[i, b[:, 0]] for i, b in enumerate(batch)]),
            indices=ints(batch),
            batch_dims=1,
        ),
        "non_zero": (
            lambda x: mb.non_zero(x=mb.relu(x=mb.identity(x=x))),
            lambda x: x.relu().nonzero(),
        ),
    }
    for mode, reduce in (("add", "sum"), ("mul", "prod"), ("max", "amax"), ("min", "amin")):
        cases[f"scatter along {mode}"] = (
            lambda x, m=mode: mb.scatter_along_axis(
                data=x, indices=ints(places), updates=new.numpy(), axis=1, mode=m
            ),
            lambda x, r=reduce: x.scatter_reduce(1, places, new, r),
        )
    cases["scatter"] = (
        lambda x: mb.scatter(
            data=x, indices=np.array([3, 1], np.int32), updates=new.numpy(), axis=1, mode="update"
        ),
        lambda x: torch.stack([x[:, 0], new[:, 1], x[:, 2], new[:, 0]], 1),
    )
    cases["scatter_nd"] = (
        lambda x: mb.scatter_nd(data=x, indices=ints(at), updates=rows.numpy(), mode="sub"),
        lambda x: x.index_put((at[:, 0], at[:, 1]), -rows, accumulate=True),
    )
    assert_cases(tmp_path, cases, {"x": x})


def test_resizing(tmp_path: Path, image: dict[str, Tensor]) -> None:
    def to(size: tuple[int, int], align: bool) -> object:
        return lambda x: F.interpolate(x, size=size, mode="bilinear", align_corners=align)

    def target(mode: str) -> dict[str, object]:
        return {"target_size_height": 11, "target_size_width": 4, "sampling_mode": mode}

    grid = torch.rand(1, 3, 5, 2) * 2.4 - 1.2
    theta = torch.tensor([[0.8, 0.1, 0.0, -0.2, 0.9, 0.1]])
    where = {
        "coordinates": grid.numpy(),
        "sampling_mode": "bilinear",
        "padding_value": 0.0,
        "coordinates_mode": "normalized_minus_one_to_one",
    }
    cases = {
        "unalign": op("resize_bilinear", to((11, 4), False), **target("UNALIGN_CORNERS")),
        "strict": op("resize_bilinear", to((11, 4), True), **target("STRICT_ALIGN_CORNERS")),
        "align": op("resize_bilinear", to((11, 4), True), **target("ALIGN_CORNERS")),
        "upsample": op(
            "upsample_bilinear",
            to((14, 20), False),
            scale_factor_height=2,
            scale_factor_width=2,
            align_corners=False,
        ),
        "upsample align": op(
            "upsample_bilinear",
            to((14, 30), True),
            scale_factor_height=2,
            scale_factor_width=3,
            align_corners=True,
        ),
        "resize": op(
            "resize",
            to((11, 10), False),
            shape=[1, 4, 11, 0],
            resized_dims=np.uint32(2),
            sampling_mode="UNALIGN_CORNERS",
        ),
        "nearest": op(
            "upsample_nearest_neighbor",
            lambda x: F.interpolate(x, size=(14, 15)),
            scale_factor_height=2.0,
            scale_factor_width=1.5,
        ),
        "nearest centre": op(
            "resize_nearest_neighbor",
            lambda x: F.interpolate(x, size=(11, 4), mode="nearest-exact"),
            target_size_height=11,
            target_size_width=4,
        ),
        "resample": op(
            "resample",
            lambda x: F.grid_sample(x, grid, padding_mode="border", align_corners=True),
            padding_mode="border",
            align_corners=True,
            **where,
        ),
        "resample zeros": op(
            "resample",
            lambda x: F.grid_sample(x, grid, align_corners=False),
            padding_mode="constant",
            align_corners=False,
            **where,
        ),
        "affine": op(
            "affine",
            lambda x: F.grid_sample(
                x, F.affine_grid(theta.view(1, 2, 3), [1, 4, 6, 5], True), align_corners=True
            ),
            transform_matrix=theta.numpy(),
            output_height=6,
            output_width=5,
            sampling_mode="bilinear",
            padding_mode="constant",
            padding_value=0.0,
            coordinates_mode="normalized_minus_one_to_one",
            align_corners=True,
        ),
    }
    assert_cases(tmp_path, cases, image)


@pytest.mark.parametrize(
    ("mode", "points"),
    [  # the examples of the operation's own documentation, for an input of [0, 1]
        ("UNALIGN_CORNERS", [0, 0.1, 0.5, 0.9, 1]),
        ("STRICT_ALIGN_CORNERS", [0, 0.25, 0.5, 0.75, 1]),
        ("DEFAULT", [0, 0.4, 0.8, 1, 1]),
        ("OFFSET_CORNERS", [0.1, 0.3, 0.5, 0.7, 0.9]),
    ],
)
def test_sample_points(mode: str, points: list[float]) -> None:
    assert sample_points(2, 5, mode).tolist() == pytest.approx(points)
