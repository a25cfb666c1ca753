"""Emulated fp16: what is rounded, what is counted, and which operation is named when something departs."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from edgevit.backends.coreml.check import (
    MilPackage,
    first_departure,
    first_fp16_departure,
    interpret,
    load_package,
)
from edgevit.backends.coreml.check.interpret import last_reads
from edgevit.backends.coreml.check.rounding import round_to_fp16
from edgevit.backends.coreml.mixed_floats import shortest_range
from tests.backends.coreml.check_packages import (
    Var,
    builder,
    rel_l2,
    run_module,
    save_module,
    save_program,
)


class Blocks(nn.Module):
    """Three residual blocks; `gain` scales a hidden value and scales it back."""

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        self.gain = gain
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = x + torch.tanh(layer(x))
        return torch.sigmoid(torch.square(x * self.gain).sum(-1) / self.gain)


def half_package(
    folder: Path, gain: float = 1.0
) -> tuple[MilPackage, nn.Module, dict[str, Tensor]]:
    torch.manual_seed(0)
    module, x = Blocks(gain), torch.randn(1, 8, 16)
    package = load_package(save_module(folder, module, x, fp16=True))
    return package, module, {package.main.inputs[0].name: x}


def test_fp16_run_rounds_and_fp32_run_does_not(tmp_path: Path) -> None:
    package, module, inputs = half_package(tmp_path)
    full, half = (
        interpret(package, inputs, keep=True),
        interpret(package, inputs, "fp16", keep=True),
    )
    name = next(name for name in half.values if name.startswith("tanh"))
    value = half.values[name]
    assert value.dtype is torch.float32
    assert torch.equal(value, value.half().float())
    assert not torch.equal(full.values[name], full.values[name].half().float())
    with torch.no_grad():
        wanted = module(*inputs.values())
    assert rel_l2(next(iter(full.outputs.values())), wanted) < 2e-3  # weights are stored in fp16
    assert half.precision == "fp16"
    assert half.overflow == 0


def test_fp32_package_is_the_same_in_both(tmp_path: Path) -> None:
    torch.manual_seed(0)
    package, run, _ = run_module(tmp_path, Blocks(), torch.randn(1, 8, 16))
    torch.manual_seed(0)
    Blocks()
    inputs = {package.main.inputs[0].name: torch.randn(1, 8, 16)}
    (half,) = interpret(package, inputs, "fp16").outputs.values()
    (full,) = run.outputs.values()
    assert torch.equal(half, full)


def test_overflow_is_counted_and_named(tmp_path: Path) -> None:
    package, _, inputs = half_package(tmp_path, gain=300.0)
    run = interpret(package, inputs, "fp16")
    assert run.overflow > 0
    worst = max(run.rounding, key=lambda r: r.overflow)
    assert worst.value.startswith(("square", "mul", "pow"))
    assert interpret(package, inputs).overflow == 0
    departure = first_fp16_departure(package, inputs)
    assert departure is not None
    assert departure.value == worst.value
    assert departure.before < 1e-2


def test_no_departure_in_a_healthy_package(tmp_path: Path) -> None:
    package, _, inputs = half_package(tmp_path)
    assert first_fp16_departure(package, inputs) is None


def test_counting() -> None:
    x = torch.tensor(
        [0.0, 1.0, 65504.0, 65519.9, 65520.0, -1e6, 6e-5, 1e-9, -3e-8, 6.2e-5, torch.inf]
    )
    rounded, counted = round_to_fp16(x, "mul", "v")
    assert (counted.overflow, counted.subnormal, counted.elements) == (2, 3, 11)
    assert torch.equal(rounded, x.half().float())
    assert counted
    assert not round_to_fp16(torch.ones(3), "mul", "v")[1]


def test_corrupted_weight_is_found(tmp_path: Path) -> None:
    """Reference values by the names of the exported graph; one weight of the second layer is broken."""
    torch.manual_seed(0)
    module, x = Blocks(), torch.randn(1, 8, 16)
    path = save_module(tmp_path, module, x)
    reference = values_by_name(module, x)
    package = load_package(path)
    inputs = {package.main.inputs[0].name: x}
    assert first_departure(package, inputs, reference, tolerance=1e-4) is None
    flip_weight(path, module.get_parameter("layers.1.weight"))
    damaged = load_package(path)
    departure = first_departure(damaged, inputs, reference, tolerance=1e-4)
    assert departure is not None
    second = [op.name for op in package.main.operations if op.kind == "linear"][1]
    assert departure.op in ("linear", "tanh")
    assert departure.value in (second, "tanh_1")
    assert departure.rel_l2 > 1e-4
    assert departure.before < 1e-4
    assert departure.value in str(departure)
    assert first_departure(damaged, inputs, reference.get, tolerance=1e-4) == departure


def values_by_name(module: nn.Module, x: Tensor) -> dict[str, Tensor]:
    values: dict[str, Tensor] = {}

    class Recorder(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> object:
            values[n.name] = result = super().run_node(n)
            return result

    exported = torch.export.export(module.eval(), (x,)).run_decompositions({})
    with torch.no_grad():
        Recorder(exported.module()).run(x)
    return {name: value for name, value in values.items() if isinstance(value, Tensor)}


def flip_weight(path: Path, weight: Tensor) -> None:
    """The sign bit of the largest element, where the blob has it."""
    file = path / "Data/com.apple.CoreML/weights/weight.bin"
    data = bytearray(file.read_bytes())
    flat = weight.detach().numpy().reshape(-1)
    at = data.index(flat.tobytes()) + 4 * int(np.abs(flat).argmax())
    data[at + 3] ^= 0x80
    file.write_bytes(data)


def test_values_are_freed_after_their_last_reader(tmp_path: Path) -> None:
    mb = builder()

    def chain(x: Var) -> Var:
        for _ in range(30):
            x = mb.add(x=x, y=1.0)
        return x

    x = torch.zeros(1, 4)
    package = load_package(save_program(tmp_path, chain, {"x": x}))
    spent = last_reads(package.main)
    assert sum(len(names) for names in spent) == len(
        package.main.operations
    )  # all but the output, and x
    assert all(len(names) == 1 for names in spent)
    seen: list[str] = []
    run = interpret(
        package, {"x": x}, watch=lambda op, name, value: seen.append(f"{op.kind}:{name}")
    )
    assert len(seen) == len(package.main.operations)
    assert run.values == {}
    assert torch.equal(next(iter(run.outputs.values())), x + 30)


def test_index_outside_is_unchecked(tmp_path: Path) -> None:
    """What a device does with a negative index is undefined from iOS 17 on; we do not guess."""
    mb = builder()

    def build(x: Var) -> Var:
        return mb.gather(x=x, indices=np.array([0, -1], np.int32), axis=1)

    for target, complete in (("iOS16", True), ("iOS17", False)):
        folder = tmp_path / target
        folder.mkdir()
        package = load_package(save_program(folder, build, {"x": torch.randn(1, 4)}, target=target))
        assert interpret(package, {"x": torch.randn(1, 4)}).complete is complete


def test_the_shortest_range_that_holds() -> None:
    names = [f"op{k}" for k in range(40)]
    sets: list[Collection[str]] = []

    def holds(in_fp32: Collection[str]) -> bool:
        sets.append(in_fp32)
        return {"op7", "op11"} <= set(in_fp32)

    assert shortest_range(names, holds) == ("op7", "op8", "op9", "op10", "op11")
    assert len(sets) < 15
    assert shortest_range(names, lambda in_fp32: False) == ()
