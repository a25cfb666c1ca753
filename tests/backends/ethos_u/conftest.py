"""An exported folder for a board with an Ethos-U, once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.cli.main import main

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Conv2d(3, 16, 4, stride=4)
        self.norm = nn.LayerNorm(16)
        self.qkv = nn.Linear(16, 48)
        self.head = nn.Linear(16, 5)
        self.place = nn.Parameter(0.1 * torch.randn(1, 16, 16))

    def forward(self, image):
        x = nn.functional.max_pool2d(self.embed(image), 3, 1, 1)
        x = x * nn.functional.hardsigmoid(x.mean((2, 3), keepdim=True))
        x = x.flatten(2).transpose(1, 2) + self.place
        q, k, v = self.qkv(self.norm(x)).chunk(3, -1)
        x = x + (q @ k.transpose(1, 2) / 4).softmax(-1) @ v
        return self.last(nn.functional.silu(self.head(x.mean(1))))

    def last(self, x):
        return x

class Floors(Net):
    def last(self, x):
        return torch.floor(4 * x)

class Places(nn.Conv2d):
    def forward(self, image):
        return super().forward(image).relu().argmax(1)

class Named(nn.Conv2d):
    def __init__(self):
        super().__init__(3, 6, 4, 4)
        self.names = nn.Embedding(9, 6)

    def forward(self, image, name):
        return super().forward(image).relu().mean((2, 3)) + self.names(name)

def named():
    torch.manual_seed(0)
    return Named().eval(), (torch.rand(1, 3, 16, 16), torch.tensor([7]))

def places():
    torch.manual_seed(0)
    return Places(3, 6, 3).eval(), (torch.rand(1, 3, 16, 16),)

def build():
    torch.manual_seed(0)
    return Net().eval(), (torch.rand(1, 3, 16, 16),)

def floors():
    torch.manual_seed(0)
    return Floors().eval(), (torch.rand(1, 3, 16, 16),)
"""


@pytest.fixture(scope="package")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("net")
    (root / "net.py").write_text(NET)
    return root


@pytest.fixture(scope="package")
def folder(source: Path) -> Path:
    words = ["export", f"{source}/net.py:build", "--target", "corstone-300", "--require-npu"]
    words += [
        "--format",
        "ethos-u",
        "--calibrate",
        "generated",
        "-o",
        str(source / "out"),
        "--quiet",
    ]
    assert main(words) == 0
    return source / "out"
