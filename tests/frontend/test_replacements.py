"""Forwards in the place of those that cannot be exported: what is refused, and what passes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from edgevit.errors import CaptureError, EdgevitError, ModelError, UsageError
from edgevit.frontend.capture import capture
from edgevit.frontend.resolve import resolve

MODEL = """
import torch
from torch import nn

class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.from_numpy(x.detach().numpy() * 2)
    @staticmethod
    def backward(ctx, grad):
        return grad * 2

class Custom(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))
    def forward(self, x):
        return Doubled.apply(x * self.weight)

class Kernel(Custom):
    def forward(self, x):
        torch.cuda.current_stream().synchronize()
        return x * self.weight * 2

class Branch(Custom):
    def forward(self, x):
        if x.sum() > 1e9:
            return x
        return x * self.weight * 2

class Sized(Custom):
    def forward(self, x):
        return (x[x > -1e9] * 2).reshape(x.shape) * self.weight

class Net(nn.Module):
    def __init__(self, part):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.blocks = nn.ModuleList([part(), part()])
    def forward(self, x):
        x = self.conv(x).mean((2, 3))
        for block in self.blocks:
            x = block(x)
        return x

def build(part):
    net = Net(part)
    net.example_inputs = (torch.randn(1, 3, 8, 8),)
    return net
custom, kernel, branch, sized = (lambda p=p: build(p) for p in (Custom, Kernel, Branch, Sized))
"""
FAST = """
def twice(module, x):
    return x * module.weight * 2
def thrice(module, x):
    return x * module.weight * 3
"""
ALL = ("custom", "branch", "sized", "kernel")


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.py").write_text(MODEL)
    (tmp_path / "fast.py").write_text(FAST)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", ALL)
def test_what_no_graph_holds_is_refused_at_its_line(name: str) -> None:
    with pytest.raises(EdgevitError) as caught:
        capture(resolve(f"net.py:{name}"))
    error = caught.value
    assert isinstance(error, CaptureError | ModelError)
    assert "net.py:" in error.where
    assert error.why
    assert "--replace" in error.hint or isinstance(error, ModelError)


@pytest.mark.parametrize("name", ALL)
def test_with_a_function_in_its_place_it_passes(name: str) -> None:
    source = resolve(f"net.py:{name}", replace="blocks.*=fast.py:twice", trust=True)
    program = capture(source)
    torch.testing.assert_close(program.run()[0], source.module(*source.inputs))
    state = "NOT verified" if name == "kernel" else "verified against the original"
    assert sum(state in note for note in source.notes) == 2


def test_a_function_that_computes_something_else_is_refused() -> None:
    with pytest.raises(ModelError) as caught:
        resolve("net.py:custom", replace="blocks.1=fast.py:thrice", trust=True)
    assert caught.value.where == "blocks.1"
    assert "relative L2" in caught.value.why


@pytest.mark.parametrize(
    ("text", "trust"),
    [
        ("blocks.0=fast.py:twice", False),
        ("blocks.0", True),
        ("blocks.9=fast.py:twice", True),
        ("blocks.0=fast.py:none", True),
        ("blocks.0=none.py:twice", True),
    ],
)
def test_a_replacement_that_is_none_is_refused(text: str, trust: bool) -> None:
    with pytest.raises((ModelError, UsageError)) as caught:
        resolve("net.py:custom", replace=text, trust=trust)
    assert caught.value.where
    assert caught.value.why
    assert caught.value.hint
