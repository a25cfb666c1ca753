"""State and randomness: what an artifact would freeze at the one call that was captured."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import edgevit
from edgevit.errors import ModelError
from edgevit.frontend.resolve import resolve

NET = """
import random
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

class Net(nn.Module):
    input_size = (3, 8, 8)

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.k, self.last, self.info = 0, None, {}
        self.register_buffer("n", torch.zeros(()))
        self.register_buffer("m", torch.zeros(4, 1, 1))

class Counter(Net):
    def forward(self, x):
        self.k += 1
        return self.conv(x) * self.k

class Last(Net):
    def forward(self, x):
        y = self.conv(x)
        if self.last is not None:
            y = y + self.last
        self.last = y.detach()
        return y

class First(Net):
    def forward(self, x):
        y = self.conv(x)
        if self.last is None:
            self.last = y.detach()
        return y + self.last

class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Counter()
    def forward(self, x):
        return self.net(x).relu()

class InADict(Net):
    def forward(self, x):
        self.info["count"] = self.info.get("count", 0) + 1
        return self.conv(x) * self.info["count"]

class Added(Net):
    def forward(self, x):
        self.n += 1
        return self.conv(x) * self.n

class Mean(Net):
    def forward(self, x):
        y = self.conv(x)
        self.m.mul_(0.9).add_(y.mean((0, 2, 3))[:, None, None], alpha=0.1)
        return y - self.m

class Bound(Net):
    def forward(self, x):
        self.m = self.m + 1
        return self.conv(x) + self.m

class Rand(Net):
    def forward(self, x):
        return self.conv(x) + torch.rand(4, 6, 6)

class RandnLike(Net):
    def forward(self, x):
        y = self.conv(x)
        return y + torch.randn_like(y)

class Dropout(Net):
    def forward(self, x):
        return F.dropout(self.conv(x), 0.5, training=True)

class RRelu(Net):
    def forward(self, x):
        return F.rrelu(self.conv(x), training=True)

class Permuted(Net):
    def forward(self, x):
        return self.conv(x)[:, torch.randperm(4)]

class Pythons(Net):
    def forward(self, x):
        return self.conv(x) * random.random()

class Numpys(Net):
    def forward(self, x):
        return self.conv(x) * float(np.random.rand())

COUNT = [0]

class Outside(Net):
    def forward(self, x):
        COUNT[0] += 1
        return self.conv(x) * COUNT[0]

class Unread(Net):
    def forward(self, x):
        self.k += 1
        return self.conv(x)

class Table(Net):
    def forward(self, x):
        if self.last is None:
            self.last = torch.arange(6.0)
        return self.conv(x) + self.last

class InPlace(Net):
    def forward(self, x):
        x -= 1
        return self.conv(x)

class Block(nn.Module):
    def __init__(self, info):
        super().__init__()
        self.info, self.conv = info, nn.Conv2d(4, 4, 1)
    def forward(self, x):
        y = self.conv(x)
        size = self.info["size"]
        y = y if size is None else y * size
        self.info["size"] = y.abs().mean((2, 3), keepdim=True)
        return y

class Shared(nn.Module):
    input_size = (3, 8, 8)
    def __init__(self):
        super().__init__()
        self.info = {"size": None}
        self.stem = nn.Conv2d(3, 4, 1)
        self.blocks = nn.Sequential(Block(self.info), Block(self.info), Block(self.info))
    def forward(self, x):
        y = self.blocks(self.stem(x))
        return y * self.info["size"]

class Reset(Shared):
    def forward(self, x):
        self.info["size"] = None
        return super().forward(x)

class Hooked(Net):
    def __init__(self):
        super().__init__()
        self.conv.register_forward_hook(lambda module, args, y: self.info.update(y=y))
    def forward(self, x):
        self.info.clear()
        return self.conv(x).relu(), *self.info.values()

class HookedMean(Net):
    def __init__(self):
        super().__init__()
        self.conv.register_forward_hook(lambda module, args, y: self.m.mul_(0.9).add_(y.mean()))
    def forward(self, x):
        return self.conv(x) + self.m
"""


@pytest.fixture(autouse=True)
def _net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)


def line_of(text: str) -> int:
    return next(k for k, line in enumerate(NET.splitlines(), 1) if text in line)


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("Counter", "attribute `k`"),
        ("Last", "attribute `last`"),
        ("Inner", "attribute `net.k`"),
        ("InADict", "attribute `info`"),
        ("Added", "buffer `n`"),
        ("Mean", "buffer `m`"),
        ("Bound", "buffer `m`"),
        ("Shared", "attribute"),
        ("HookedMean", "buffer `m`"),
    ],
)
def test_state_is_refused_by_name(name: str, attribute: str) -> None:
    with pytest.raises(ModelError, match="keeps state") as refused:
        resolve(f"net.py:{name}", input_size=8)
    assert attribute in refused.value.message
    assert "net.py:" in refused.value.where
    assert "output" in refused.value.hint


@pytest.mark.parametrize("name", ["First", "Outside"])
def test_what_an_image_leaves_behind_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match=r"state|other numbers"):
        resolve(f"net.py:{name}", input_size=8)


@pytest.mark.parametrize(
    ("name", "call", "line"),
    [
        ("Rand", "`rand`", "torch.rand(4"),
        ("RandnLike", "`randn_like`", "torch.randn_like(y)"),
        ("Dropout", "", "F.dropout"),
        ("RRelu", "", "F.rrelu"),
        ("Permuted", "`randperm`", "torch.randperm"),
    ],
)
def test_randomness_is_refused_with_its_line(name: str, call: str, line: str) -> None:
    with pytest.raises(ModelError, match="random numbers") as refused:
        resolve(f"net.py:{name}", input_size=8)
    assert call in refused.value.message
    assert f"net.py:{line_of(line)}" in refused.value.where


@pytest.mark.parametrize(("name", "whose"), [("Pythons", "Python's"), ("Numpys", "numpy.random")])
def test_randomness_outside_of_torch_is_refused(name: str, whose: str) -> None:
    with pytest.raises(ModelError, match=whose):
        resolve(f"net.py:{name}", input_size=8)


@pytest.mark.parametrize("name", ["Unread", "Table", "InPlace", "Reset", "Hooked"])
def test_what_no_output_shows_is_no_state(name: str) -> None:
    resolve(f"net.py:{name}", input_size=8)


def test_state_that_modules_share_and_reset_is_exported(tmp_path: Path) -> None:
    """A capture leaves its own tensors in such a dictionary: the model must not run behind it."""
    pytest.importorskip("onnxruntime")
    result = edgevit.export("net.py:Reset", target="linux-x86", format="onnx", output=tmp_path / "out")  # fmt: skip
    assert result.passed
