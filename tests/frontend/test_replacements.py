"""Forwards in the place of those that cannot be exported: what is refused, and what passes."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import torch

from edgevit.backends.unsupported import refuse_ops
from edgevit.errors import CaptureError, ModelError, UnsupportedOpError, UsageError
from edgevit.frontend.capture import capture
from edgevit.frontend.resolve import resolve
from edgevit.graph.aten import kind

MODEL = """
import torch
from torch import nn
import ops

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

class Pure(Custom):
    def forward(self, x):
        return Scaled.apply(x, self.weight)

class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight):
        return x * weight * 2
    @staticmethod
    def backward(ctx, grad):
        return grad, None

class Operator(Custom):
    def forward(self, x):
        return torch.ops.edgevit_tests.scaled(x, self.weight)

class NoFake(Custom):
    def forward(self, x):
        return torch.ops.edgevit_tests.unseen(x, self.weight)

class Extension(Custom):
    def forward(self, x):
        return torch.ops.edgevit_kernels.scan(x, self.weight)

class Missing(Custom):
    def forward(self, x):
        return torch.ops.edgevit_kernels.gone(x, self.weight)

class Uninstalled(Custom):
    def forward(self, x):
        return ops.scan_fn(x, self.weight)

class Places(Custom):
    def forward(self, x):
        rows, columns = (x > -1e9).nonzero(as_tuple=True)
        return x[rows, columns].reshape(x.shape) * self.weight * 2

class Loop(Custom):
    def forward(self, x):
        for _ in range(int((x > -1e9).sum().item()) // x.numel()):
            x = x * 2
        return x * self.weight

class Number(Custom):
    def forward(self, x):
        return torch.tensor(x.tolist()) * self.weight * 2

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
for part in (Custom, Kernel, Branch, Sized, Pure, Operator, NoFake, Extension, Missing, Uninstalled, Places, Loop, Number):
    globals()[part.__name__.lower()] = lambda part=part: build(part)
"""
OPS = """
import torch
scan_fn = None  # of a package that is not installed
@torch.library.custom_op("edgevit_tests::scaled", mutates_args=())
def scaled(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return x * weight * 2
scaled.register_fake(lambda x, weight: torch.empty_like(x))
@torch.library.custom_op("edgevit_tests::unseen", mutates_args=())
def unseen(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return x * weight * 2
library = torch.library.Library("edgevit_kernels", "DEF")
library.define("scan(Tensor x, Tensor weight) -> Tensor")
library.impl("scan", lambda x, weight: x * weight * 2, "CUDA")
"""
TRITON = """
import torch
import triton
import triton.language as tl
from torch import nn

@triton.jit
def twice_kernel(x_ptr, weight_ptr, out_ptr, n, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + i, mask=i < n)
    weight = tl.load(weight_ptr + i % 4, mask=i < n)
    tl.store(out_ptr + i, x * weight * 2, mask=i < n)

class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight):
        out = torch.empty_like(x)
        twice_kernel[(1,)](x, weight, out, x.numel(), BLOCK=16)
        return out
    @staticmethod
    def backward(ctx, grad):
        return grad, None

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))
    def forward(self, x):
        return Twice.apply(x, self.weight)

def build():
    net = nn.Sequential(nn.Linear(4, 4), Block())
    net.example_inputs = (torch.randn(2, 4),)
    return net
"""
FAST = """
def twice(module, x):
    return x * module.weight * 2
def thrice(module, x):
    return x * module.weight * 3
"""
# by what each is refused for: its op or its reason, in the message, and the line
REFUSED = {
    "custom": (".numpy() is not supported", "x.detach().numpy()"),
    "kernel": ("CUDA", "torch.cuda.current_stream()"),
    "branch": ("control flow depends on its data", "if x.sum() > 1e9"),
    "sized": ("`index` has a shape", "x[x > -1e9]"),
    "nofake": ("edgevit_tests::unseen", "edgevit_tests.unseen"),
    "extension": ("`edgevit_kernels::scan` has no kernel for CPU", "edgevit_kernels.scan"),
    "missing": ("`edgevit_kernels::gone`", "edgevit_kernels.gone"),
    "uninstalled": ("'NoneType' object is not callable", "ops.scan_fn"),
    "places": ("`nonzero_numpy` has a shape", ".nonzero(as_tuple=True)"),
    "loop": ("control flow depends on its data", ".sum().item()"),
    "number": ("`.item()`", "x.tolist()"),
}
NOT_HERE = ("kernel", "extension", "missing", "uninstalled")


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.py").write_text(MODEL)
    (tmp_path / "fast.py").write_text(FAST)
    if "ops" not in sys.modules:  # its operators are registered once a process
        (tmp_path / "ops.py").write_text(OPS)
        monkeypatch.syspath_prepend(tmp_path)
        importlib.import_module("ops")
    monkeypatch.chdir(tmp_path)


def place(line: str) -> str:
    number = next(n for n, text in enumerate(MODEL.splitlines(), 1) if line in text)
    return f"net.py:{number}"


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_graph_holds_is_refused_by_name_at_its_line(name: str) -> None:
    reason, line = REFUSED[name]
    with pytest.raises((CaptureError, ModelError)) as caught:
        capture(resolve(f"net.py:{name}"))
    error = caught.value
    assert reason in f"{error.message} {error.why}"
    assert f"blocks.0  {place(line)}" in error.where
    assert "--replace blocks.0=" in error.hint


def test_an_operator_of_the_users_is_refused_by_its_full_name() -> None:
    program = capture(resolve("net.py:operator"))
    calls = [node for node in program.calls() if "scaled" in str(node.target)]
    with pytest.raises(UnsupportedOpError) as caught:
        refuse_ops(calls, "ONNX", "there is nothing for")
    assert "`edgevit_tests::scaled` (2x)" in caught.value.message
    assert f"blocks.0  {place('edgevit_tests.scaled')}" in caught.value.where
    assert "--replace blocks.0=" in caught.value.hint


def test_a_function_of_autograd_that_is_made_of_ops_needs_no_replacement() -> None:
    source = resolve("net.py:pure")
    program = capture(source)
    torch.testing.assert_close(program.run()[0], source.module(*source.inputs))


def test_the_whole_model_is_replaced_by_a_function_of_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = "def scaled(module, x):\n    x = module.conv(x).mean((2, 3))\n    return 4 * x\n"
    (tmp_path / "edgevit_whole.py").write_text(whole)
    source = resolve("net.py:number", replace=".=edgevit_whole:scaled")
    assert "verified against the original" in source.notes[-1]
    assert not [node for node in capture(source).calls() if kind(node) == "scalar_tensor"]


def test_a_triton_kernel_is_refused_by_name_and_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("triton")
    (tmp_path / "tri.py").write_text(TRITON)
    line = TRITON.splitlines().index(
        "        twice_kernel[(1,)](x, weight, out, x.numel(), BLOCK=16)"
    )
    for interpreted in ("0", "1"):
        monkeypatch.setenv("TRITON_INTERPRET", interpreted)
        with pytest.raises((CaptureError, ModelError)) as caught:
            capture(resolve("tri.py:build"))
        assert "`twice_kernel` is a Triton kernel" in caught.value.why
        assert f"1  tri.py:{line + 1}" in caught.value.where
        assert "--replace 1=" in caught.value.hint
        source = resolve("tri.py:build", replace="1=fast.py:twice", trust=True)
        assert ("NOT verified" in source.notes[-1]) == (interpreted == "0")
        torch.testing.assert_close(capture(source).run()[0], source.module(*source.inputs))


@pytest.mark.parametrize("name", [*REFUSED, "operator"])
def test_with_a_function_in_its_place_it_passes(name: str) -> None:
    source = resolve(f"net.py:{name}", replace="blocks.*=fast.py:twice", trust=True)
    program = capture(source)
    torch.testing.assert_close(program.run()[0], source.module(*source.inputs))
    state = "NOT verified" if name in NOT_HERE else "verified against the original"
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
