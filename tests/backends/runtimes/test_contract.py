"""What every runtime's backend promises, whichever it is."""

from __future__ import annotations

import functools
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgevit.backends.api import Expected, backend_of
from edgevit.backends.coreai.deterministic import PROGRAM
from edgevit.backends.worker import Worker
from edgevit.errors import BackendRuntimeError, PackageError, TargetError, UnsupportedOpError
from edgevit.support.backend_info import info_of
from tests.backends.runtimes.through import FORMATS, SUFFIX, checked, eager, lowered, source_of

pytestmark = pytest.mark.parametrize("format", FORMATS)
X = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))


class Hybrid(nn.Module):
    """A strided convolution with its norm, one attention block, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 4, 1), nn.BatchNorm2d(16), nn.GELU())
        self.norm = nn.LayerNorm(16)
        self.qkv = nn.Linear(16, 48)
        self.head = nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2)
        n = x.shape[0]
        q, k, v = self.qkv(self.norm(x)).reshape(n, 16, 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)
        x = x + nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return self.head(x.mean(1))


class Call(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.linspace(-1, 1, 16))

    def forward(self, *inputs: torch.Tensor) -> object:
        return self.function(self, *inputs)


NETS = {
    "two outputs": (lambda s, x: (x * s.weight, x.mean(1)), (X,)),
    "a dictionary": (lambda s, x: {"a": x * s.weight, "b": x + 1}, (X,)),
    "two inputs": (lambda s, x, y: x * s.weight - y, (X, X + 2)),
    "inputs in order": (
        lambda s, *xs: sum((k + 1) * x for k, x in enumerate(xs)),
        tuple(X[:, :, :2, :2] + k for k in range(12)),
    ),
    "the input is an output": (lambda s, x: (x, x * s.weight), (X,)),
    "a repeated output": (lambda s, x: (y := x * s.weight, y), (X,)),
    "a constant output": (lambda s, x: (s.weight * 2, x + 1), (X,)),
    "whole numbers out": (lambda s, x: (x * s.weight).argmax(1), (X,)),
    "whole numbers in": (lambda s, x, i: x[:, i], (X, torch.tensor([2, 0]))),
    "yes or no in": (lambda s, x, m: torch.where(m, x, x * s.weight), (X, X > 0)),
    "a scalar out": (lambda s, x: (x * s.weight).sum(), (X,)),
}


@pytest.mark.parametrize("net", NETS)
def test_inputs_and_outputs_of_every_shape(format: str, net: str, tmp_path: Path) -> None:
    function, inputs = NETS[net]
    parity = checked(format, source_of(Call(function), *inputs), tmp_path)
    assert parity.passed, parity


@pytest.mark.parametrize("batch", [pytest.param(1, marks=pytest.mark.long), 3])
def test_a_hybrid_is_the_same_from_disk(format: str, batch: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    source = source_of(Hybrid(), torch.randn(batch, 3, 16, 16))
    artifact, program = lowered(format, source, tmp_path)
    assert artifact.path == tmp_path / f"net{SUFFIX[format]}"
    assert artifact.path.stat().st_size > 1000
    (parity,) = backend_of(format).check(artifact, Expected(source.inputs, eager(source), program))
    assert parity.passed, parity
    assert (parity.stage, parity.precision) == ("runtime", "fp32")
    assert 0 < parity.distance.rel_l2 < 1e-5  # another kernel's rounding: it has really been run


def test_a_wrong_number_does_not_pass(format: str, tmp_path: Path) -> None:
    source = source_of(Hybrid(), X)
    artifact, program = lowered(format, source, tmp_path)
    wrong = tuple(y * 1.001 for y in eager(source))
    (parity,) = backend_of(format).check(artifact, Expected(source.inputs, wrong, program))
    assert not parity.passed


def test_all_unsupported_ops_are_named_with_their_lines(format: str, tmp_path: Path) -> None:
    class Special(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.special.bessel_j0(x)
            x = torch.special.bessel_j1(x) + torch.special.bessel_j0(x)
            return torch.igamma(x.abs() + 1, x.abs() + 2)

    with pytest.raises(UnsupportedOpError) as caught:
        lowered(format, source_of(Special(), X), tmp_path)
    error = caught.value
    for name in ("`special_bessel_j0` (2x)", "`special_bessel_j1` (1x)", "`igamma` (1x)"):
        assert name in error.message
    assert error.where.count("test_contract.py:") == 4
    assert not list(tmp_path.iterdir())


@torch.library.custom_op("edgevit_tests::scan", mutates_args=())
def scan(x: torch.Tensor) -> torch.Tensor:
    return x.cumsum(1)


@scan.register_fake
def _(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x)


class Scan(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return scan(x)


def test_an_operator_of_the_users_own_is_named_with_a_way_out(format: str, tmp_path: Path) -> None:
    source = source_of(nn.Sequential(nn.Conv2d(3, 4, 1), Scan()), X)
    with pytest.raises(UnsupportedOpError, match="scan") as refusal:
        lowered(format, source, tmp_path)
    assert "test_contract.py:" in refusal.value.where
    assert "--replace 1=" in refusal.value.hint


def test_an_unsupported_input_type(format: str, tmp_path: Path) -> None:
    source = source_of(Call(lambda s, x: x.real + 1), X.to(torch.complex64))
    with pytest.raises(UnsupportedOpError, match="no such input"):
        lowered(format, source, tmp_path)


def test_a_precision_that_is_not_written(format: str, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="int3"):
        lowered(format, source_of(Hybrid(), X), tmp_path, "int3")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The saved file of a sound net, made once for each format."""

    @functools.cache
    def sound(format: str) -> Path:
        artifact, _ = lowered(format, source_of(Hybrid(), X), tmp_path_factory.mktemp(format))
        return artifact.path

    return sound


@pytest.fixture(scope="module")
def worker() -> Iterator[dict[str, Worker]]:
    workers = {format: Worker(format, threads=1, timeout=60) for format in FORMATS}
    yield workers
    for each in workers.values():
        each.close()


DAMAGE = {
    "empty": lambda data: b"",
    "a page": lambda data: b"<!DOCTYPE html><html>not found</html>" * 20,
    "cut short": lambda data: data[: len(data) // 2],
    "zeros": lambda data: bytes(len(data)),
    "a zip file": lambda data: b"PK\x03\x04" + data[4:400],
    "noise": lambda data: np.random.default_rng(0).bytes(len(data)),
}


def open_and_run(worker: Worker, path: Path) -> None:
    worker.open(path)
    worker.run([X.numpy()])


def test_a_path_is_of_the_directory_that_the_caller_is_in(
    format: str,
    sounds: Callable[[str], Path],
    worker: dict[str, Worker],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process stays, and was started in another one."""
    sound = sounds(format)
    open_and_run(worker[format], sound)
    monkeypatch.chdir(sound.parent)
    open_and_run(worker[format], Path(sound.name))


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_an_error_of_ours(
    format: str,
    damage: str,
    sounds: Callable[[str], Path],
    worker: dict[str, Worker],
    tmp_path: Path,
) -> None:
    sound = sounds(format)
    broken = tmp_path / sound.name
    shutil.copytree(sound.parent, tmp_path, dirs_exist_ok=True)
    program = broken / PROGRAM if broken.is_dir() else broken
    program.write_bytes(DAMAGE[damage](program.read_bytes()))
    with pytest.raises((PackageError, BackendRuntimeError)) as caught:
        open_and_run(worker[format], broken)
    assert str(broken) in caught.value.where
    assert caught.value.why
    assert caught.value.hint


def test_a_missing_file(format: str, worker: dict[str, Worker], tmp_path: Path) -> None:
    with pytest.raises(PackageError):
        worker[format].open(tmp_path / f"nowhere{SUFFIX[format]}")


def test_the_worker_goes_on_after_an_error(
    format: str, sounds: Callable[[str], Path], worker: dict[str, Worker], tmp_path: Path
) -> None:
    worker[format].open(sounds(format))
    (spec,) = worker[format].inputs
    assert (spec.shape, spec.dtype) == ((1, 3, 16, 16), "float32")
    first = worker[format].run([X.numpy()])[0]
    assert first.shape == (1, 5)
    np.testing.assert_array_equal(first, worker[format].run([X.numpy()])[0])


def test_ops_are_timed_by_the_runtime_itself(
    format: str, sounds: Callable[[str], Path], worker: dict[str, Worker]
) -> None:
    worker[format].open(sounds(format))
    ops = worker[format].op_times([X.numpy()], 3)
    whole = min(worker[format].seconds([X.numpy()], 20))
    assert len(ops) > 3
    assert all(op.seconds >= 0 and op.op and op.unit for op in ops)
    assert sum(op.seconds for op in ops) < 50 * whole + 0.05  # seconds, not microseconds


def test_a_missing_library_says_how_to_get_it(format: str, tmp_path: Path, monkeypatch) -> None:
    from edgevit.errors import MissingToolError

    library = {
        "onnx": "onnxruntime",
        "executorch": "executorch",
        "tvm": "tvm",
        "coreai": "coreai",
    }.get(format)
    if library is None:
        pytest.skip("it has two runtimes: tests/backends/tflite")
    for name in [n for n in sys.modules if n.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    module = import_module(info_of(format).session.partition(":")[0])
    path = tmp_path / f"net{SUFFIX[format]}"
    path.write_bytes(b"x" * 100)
    with pytest.raises(MissingToolError) as caught:
        module.open_session(path, 1)
    assert f"edgevit[{format}]" in caught.value.hint
