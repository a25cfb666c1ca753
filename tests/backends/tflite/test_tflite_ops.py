"""What litert-torch gets wrong, or does not take, is right in the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgevit.backends.api import Lowering, backend_of
from edgevit.backends.tflite.runtime import open_interpreter
from edgevit.backends.worker import Worker
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.graph.parity import distance
from edgevit.rewrites import engine
from edgevit.targets import load_target
from tests.backends.runtimes.through import checked, source_of

pytest.importorskip("litert_torch", reason="pip install 'edgevit[tflite]'")

Plain = Callable[..., torch.Tensor]
X = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
STRIPES = torch.arange(64.0).reshape(8, 8)


class Many(nn.Module):
    """Each function's value is an output, so that one conversion serves them all."""

    def __init__(self, functions: dict[str, Plain]) -> None:
        super().__init__()
        self.functions = functions
        self.stem, self.head = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.weight = nn.Parameter(torch.randn(4, 4, 3, 3) / 4)
        self.cube = nn.Conv2d(4, 8, 1)
        self.up = nn.ConvTranspose2d(4, 4, 3, 2, 1, output_padding=1)
        self.up_far = nn.ConvTranspose2d(4, 6, 3, 3, 0, output_padding=2, groups=2)
        # Two views of one shape that are not contiguous: a copy of one may lie where that of the other has been.
        self.views = [STRIPES.T, (STRIPES + 100).T]

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        image = self.stem(x)  # from here on litert-torch prefers another layout
        found = [function(self, image) for function in self.functions.values()]
        return [self.head(y) if y.shape[1:2] == (4,) and y.ndim == 4 else y for y in found]


EXPANSIONS: dict[str, Plain] = {
    "then transposed": lambda s, x: x.mean(2, keepdim=True).expand_as(x).permute(0, 3, 1, 2) * 2,
    "of the last axis": lambda s, x: x.sum(-1, keepdim=True).expand_as(x).permute(0, 2, 3, 1),
    "of two axes": lambda s, x: x[:, :1, :1].expand(2, 4, 8, 8).permute(2, 1, 3, 0),
    "by the converter": lambda s, x: (x.mean(2, keepdim=True) * torch.ones(8, 8)).mT,
    "of whole numbers": lambda s, x: (x > 0).long()[:, :3].sum(2, True).expand(-1, -1, 8, 8).mT,
    "for a product": lambda s, x: x.relu() * x.sum(-1, keepdim=True).expand_as(x),
    "next to another": lambda s, x: torch.cat([x, x.amax(2, keepdim=True).expand_as(x)], 1),
    "repeat": lambda s, x: x.repeat(1, 1, 2, 1)[:, :, 3:11] + x,
    "repeat often": lambda s, x: x[:, :1].repeat(1, 4, 1, 6),
    "tile": lambda s, x: x.tile(1, 3, 1, 2),
}
REST: dict[str, Plain] = {
    "seven axes": lambda s, x: F.normalize(x.view(1, 2, 4, 2, 4, 2, 4).softmax(2), dim=4).relu().flatten(2),
    "rows of an image of equal extents": lambda s, x: s.cube(x[:1]).reshape(8, 8, 8).permute(1, 0, 2),
    "two transposed": lambda s, x: x[0, :1].mT @ x[0, :1, :4].permute(0, 2, 1),
    "groups over three axes": lambda s, x: F.conv3d(x[None], torch.ones(2, 1, 2, 3, 3) / 9, groups=2),
    "nearest bounds": lambda s, x: torch.bucketize(x, torch.tensor([-0.5, 0.5])) + x.tanh().cumprod(3),
    "unfold": lambda s, x: x.unfold(3, 3, 2),
    "rsub with alpha": lambda s, x: torch.rsub(x, 2.0, alpha=0.5),
    "add with alpha": lambda s, x: torch.add(x, x.flip(1), alpha=3),
    "sub with alpha": lambda s, x: torch.sub(x, x.mean(1, keepdim=True), alpha=2),
    "sort": lambda s, x: x.sort(1, descending=True)[0],
    "argsort": lambda s, x: x[:, :3].argsort(2),
    "the largest": lambda s, x: x.topk(3, 1)[0],
    "sort the last axis": lambda s, x: x.sort()[0],
    "the largest of the last axis": lambda s, x: x.topk(3)[0] - x.topk(3)[1],
    "two flips": lambda s, x: x.flip((1, 3)),
    "one-hot": lambda s, x: F.one_hot(x.argmax(1), 4).float(),
    "adaptive max": lambda s, x: F.adaptive_max_pool2d(x, (4, 2)),
    "uneven adaptive max": lambda s, x: F.adaptive_max_pool2d(x, (3, 5)),
    "distances": lambda s, x: torch.cdist(x, x.flip(1)),
    "a square of five axes": lambda s, x: x[:, :, None].expand(-1, -1, 3, -1, -1) ** 2,
    "output padding": lambda s, x: s.up(x),
    "output padding past the end": lambda s, x: s.up_far(x),
    "padding that is not the same": lambda s, x: F.conv_transpose2d(x, s.weight, None, 2, 1),
    "a dilated transposed one": lambda s, x: F.conv_transpose2d(x, s.weight, None, 2, 1, 1, 1, 2),
    "either": lambda s, x: torch.where((x > 0) ^ (x.flip(1) > 0), x, 0.5),
    "a computed weight": lambda s, x: F.conv2d(x, s.weight * x.mean(), padding=1),
    "a weight per image": lambda s, x: F.conv2d(x, s.weight.mean(1, True) * x[0, :, :1, :1, None], groups=4),
    "two constants": lambda s, x: x * s.views[0] - x.flip(3) * s.views[1],
    "written into new memory": lambda s, x: torch.empty_like(x).copy_(x) * 2,
    "over the edge": lambda s, x: F.avg_pool2d(x, 3, 2, ceil_mode=True) + F.max_pool2d(x, 3, 2, 0, ceil_mode=True),
    "nearest": lambda s, x: F.interpolate(x, size=(5, 11)),
    "bits": lambda s, x: torch.stack([y := (x * 9).long(), y & 5, y | 3, y ^ 6, ~y, y >> 1, y << 2, y & ~3], 1),
    "bytes compared": lambda s, x: torch.logical_and(((x * 9).to(torch.int8) & 1) == 0, (x * 9).to(torch.int16) <= 4)[:, :3],
    "reflected": lambda s, x: F.grid_sample(x, x[:, :2].permute(0, 2, 3, 1) * 2, padding_mode="reflection", align_corners=True),
    "summed at places": lambda s, x: torch.zeros(2, 9, 8).index_put((torch.arange(2)[:, None], (x[:, 0, 0] * 9).long().clamp(-9, 8)), x[:, 1], accumulate=True),
    "written one after another": lambda s, x: x.masked_scatter(x > 0, x.flip(1)),
    "means of a volume": lambda s, x: F.adaptive_avg_pool3d(x, (2, 3, 1)),
    "the third smallest": lambda s, x: torch.stack([y.float() for y in x.kthvalue(3, 1)]),
    "scaled": lambda s, x: F.interpolate(x, scale_factor=1.3, mode="bilinear"),
}  # fmt: skip


@pytest.mark.parametrize("functions", [EXPANSIONS, REST], ids=["expansions", "rest"])
def test_all_of_them(functions: dict[str, Plain], tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = Many(functions).eval()
    source = ModelSource("tests:net", "net", net, (X,), ("x",), "a test", "random")
    backend = backend_of("tflite")
    program, _ = engine.run(capture(source), backend.rules)
    request = Lowering(program, source, load_target("linux-x86"), "fp32", tmp_path, lambda _: None)
    artifact = backend.lower(request)
    with Worker("tflite", threads=1) as worker:
        worker.open(artifact.path)
        for given in (X, X.flip(0).roll(3, -1) * 1.7):  # the second is not the example
            with torch.no_grad():
                expected = net(given)
            found = [torch.from_numpy(np.array(y)) for y in worker.run([given.numpy()])]
            far = {
                name: distance([a], [b]).rel_l2
                for name, a, b in zip(functions, expected, found, strict=True)
            }
            assert not {name: error for name, error in far.items() if not error < 1e-5}


def test_a_picture_of_bytes_stays_one_of_bytes(tmp_path: Path) -> None:
    picture = torch.randint(0, 256, (1, 8, 8, 3), dtype=torch.uint8)
    net = nn.Sequential(Bytes(), nn.Conv2d(3, 4, 3))
    parity = checked("tflite", source_of(net, picture), tmp_path)
    assert parity.passed
    (taken,) = open_interpreter(tmp_path / "net.tflite", 1).get_input_details()
    assert taken["dtype"] == np.uint8


class Bytes(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, 3, 1, 2).float() / 127.5 - 1
