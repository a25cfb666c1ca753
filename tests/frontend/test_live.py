"""Models passed as objects: read in any form, and never changed."""

from __future__ import annotations

import copy
import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from edgevit.errors import EdgevitError, ModelError, UsageError
from edgevit.frontend.capture import capture
from edgevit.frontend.live.inputs import read_inputs
from edgevit.frontend.rebuild import build_source
from edgevit.frontend.resolve import resolve
from edgevit.frontend.source import ModelSource
from edgevit.frontend.torch_state import default_torch
from edgevit.graph.program import Program

X = torch.linspace(-1, 1, 3 * 8 * 8).view(1, 3, 8, 8)
MASK, BIAS = torch.linspace(0, 1, 64).view(8, 8), torch.tensor([0.5])


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.drop(self.norm(self.conv(image))).mean((2, 3))

    def features(self, image: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(image))


class Mixed(nn.Module):
    def forward(
        self, image: torch.Tensor, mask: torch.Tensor | None = None, *, bias: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        image = image if mask is None else image * mask
        return {"logits": image.mean((2, 3)), "shifted": image + bias}


class Nested(nn.Module):
    def forward(self, features: list[torch.Tensor], by_name: dict[str, torch.Tensor]) -> Any:
        return [features[0] * 2, (by_name["low"] + features[1],)]


def captured(model: object, example: object = None, **options: Any) -> tuple[ModelSource, Program]:
    source = build_source(model, example, **options)
    return source, capture(source)


def refused(model: object, example: object = None, **options: Any) -> EdgevitError:
    with pytest.raises(EdgevitError) as caught:
        build_source(model, example, **options)
    error = caught.value
    assert error.message and error.where and error.why and error.hint
    assert error.exit_code != 70
    return error


def forms(net: nn.Module) -> dict[str, Any]:
    def head(image: torch.Tensor) -> torch.Tensor:
        return net(image)

    @torch.no_grad()
    def quiet(image: torch.Tensor) -> torch.Tensor:
        return head(image)

    class Call:
        def __init__(self) -> None:
            self.net = net

        def __call__(self, image: torch.Tensor) -> torch.Tensor:
            return self.net(image)

    return {
        "module": net,
        "builder": lambda: net,
        "builder with inputs": lambda: (net, X),
        "function": head,
        "function of a function": lambda image: head(image),
        "decorated": quiet,
        "bound method": net.forward,
        "partial": functools.partial(head),
        "object": Call(),
        "compiled": torch.compile(net),
        "compiled inside": nn.Sequential(torch.compile(net)),
        "compiled function": torch.compile(head),
        "data parallel": nn.DataParallel(net),
    }


@pytest.mark.parametrize("form", forms(Net()))
def test_any_form_of_a_module_is_the_module(form: str) -> None:
    torch.manual_seed(0)
    net = Net()
    model = forms(net)[form]
    before = state_of(net)
    source, program = captured(model, X)
    assert state_of(net) == before
    with torch.no_grad():
        expected = copy.deepcopy(net).eval()(X)
    assert torch.allclose(program.run()[0], expected, atol=1e-6)
    assert source.live
    assert any("training mode" in note for note in source.notes)


def state_of(net: nn.Module) -> dict[str, object]:
    """Return all of a module that an export could change."""
    state: dict[str, object] = {}
    for name, part in net.named_modules():
        own = vars(part)
        state[name] = (type(part), part.training, sorted(own), part._compiled_call_impl is None)
        state[f"{name} hooks"] = tuple(map(id, (*part._forward_hooks.values(), *part._forward_pre_hooks.values(), *part._backward_hooks.values())))  # fmt: skip
    for name, tensor in (*net.named_parameters(), *net.named_buffers()):
        grad = None if tensor.grad is None else (id(tensor.grad), tensor.grad.sum().item())
        state[f"{name} tensor"] = (
            id(tensor), tensor.data_ptr(), tensor.dtype, tensor.device, tensor.requires_grad, grad,
            tensor._version, tuple(tensor.detach().flatten().tolist()), tensor.stride(),
        )  # fmt: skip
    return state


def half(net: Net) -> None:
    net.half()


def brain(net: Net) -> None:
    net.to(torch.bfloat16)


def with_hooks(net: Net) -> None:
    net.conv.register_forward_hook(lambda module, args, output: output * 2)
    net.register_full_backward_hook(lambda module, into, out: None)


def with_gradients(net: Net) -> None:
    net(X.requires_grad_()).sum().backward()
    X.requires_grad_(False)
    net.conv.bias.requires_grad_(False)


def channels_last(net: Net) -> None:
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def with_autograd_result(net: Net) -> None:
    net.cached = net.conv.weight * 2  # type: ignore[assignment]


@pytest.mark.parametrize(
    "change", [half, brain, with_hooks, with_gradients, channels_last, with_autograd_result]
)
@pytest.mark.parametrize("training", [True, False])
def test_a_module_stays_as_it_is(change: Callable[[Net], None], training: bool) -> None:
    net = Net().train(training)
    change(net)
    before = state_of(net)
    x = X.clone().requires_grad_()
    source, _ = captured(net, (x,))
    assert state_of(net) == before
    assert x.requires_grad and x.grad is None and torch.equal(x, X)
    notes = " ".join(source.notes)
    assert ("training mode" in notes) == training
    assert ("float32" in notes) == (change in (half, brain))
    assert ("hooks" in notes) == (change is with_hooks)


class Features(nn.Module):
    """What a hook, and a function in an attribute, close over is the module itself."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.seen = nn.Conv2d(3, 4, 3), {}
        self.conv.register_forward_hook(lambda module, args, output: self.seen.update(conv=output))
        self.conv.register_forward_pre_hook(functools.partial(self.scaled, by=lambda: self.factor))
        self.factor = nn.Parameter(torch.tensor(0.5))

    @staticmethod
    def scaled(module: nn.Module, args: tuple[torch.Tensor], by: Callable[[], torch.Tensor]) -> Any:
        return (args[0] * by(),)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"mean": self.conv(x).mean((2, 3)), **self.seen}


def test_hooks_that_close_over_a_module_close_over_its_copy() -> None:
    net = Features().eval()
    net(2 * X)  # what is seen now is of another input
    before = net.seen["conv"]
    source, program = captured(net, X)
    assert net.seen["conv"] is before
    assert "factor" in dict(source.module.named_parameters())
    with torch.no_grad():
        expected = net(X)
    assert program.output_names == ("mean", "conv")
    for output, value in zip(program.run(), expected.values(), strict=True):
        assert torch.allclose(output, value, atol=1e-6)


def test_random_weights_are_those_of_a_copy() -> None:
    net = Net()
    before = state_of(net)
    source, _ = captured(net, X, weights="random")
    assert state_of(net) == before
    assert not torch.equal(source.module.conv.weight, net.conv.weight)


def test_inputs_by_keyword_come_in_the_order_of_the_parameters() -> None:
    source, program = captured(Mixed(), {"bias": BIAS, "mask": MASK, "image": X})
    assert source.input_names == program.input_names == ("image", "mask", "bias")
    assert program.output_names == ("logits", "shifted")
    logits, shifted = program.run()
    assert torch.equal(shifted, X * MASK + BIAS) and torch.allclose(logits, (X * MASK).mean((2, 3)))
    assert captured(Mixed(), {"bias": BIAS, "image": X})[1].input_names == ("image", "bias")


def test_nested_inputs_and_outputs_have_names() -> None:
    _, program = captured(Nested(), ([X, X + 1], {"low": X}))
    assert program.input_names == ("features_0", "features_1", "by_name_low")
    assert program.output_names == ("output_0", "1_0")
    assert torch.equal(program.run()[1], X + (X + 1))


def test_fields_of_a_dataclass_name_the_outputs() -> None:
    @dataclass
    class Detections:
        boxes: torch.Tensor
        levels: dict[str, torch.Tensor]
        loss: torch.Tensor | None = None

    class Net(nn.Module):
        def forward(self, x: torch.Tensor) -> Detections:
            return Detections(x * 2, {"low": x + 1})

    _, program = captured(Net(), X)
    assert program.output_names == ("boxes", "levels_low")
    assert torch.equal(program.run()[1], X + 1)


def test_an_exported_program_keeps_its_weights_and_structure() -> None:
    net = Net().eval()
    program = torch.export.export(net, (X,), strict=False)
    before = state_of(net)
    assert torch.allclose(captured(program)[1].run()[0], net(X), atol=1e-6)
    assert state_of(net) == before
    mixed = torch.export.export(Mixed(), (X,), {"bias": BIAS, "mask": MASK}, strict=False)
    for example in (None, {"mask": MASK, "bias": BIAS, "image": X}):
        source, captured_program = captured(mixed, example)
        values = dict(zip(source.input_names, source.inputs, strict=True))
        assert torch.equal(values["mask"], MASK) and torch.equal(values["bias"], BIAS)
        assert torch.equal(captured_program.run()[1], X * MASK + BIAS)
    assert isinstance(refused(mixed, (X,)), ModelError)
    assert isinstance(refused(program, torch.zeros(1, 3, 9, 9)), ModelError)
    assert isinstance(refused(program, weights="random"), UsageError)
    assert isinstance(refused(program, batch=2), UsageError)
    trained = torch.export.export(nn.Sequential(nn.Dropout(0.5)).train(), (X,), strict=False)
    assert "training mode" in refused(trained).message
    wide = torch.export.export(nn.Conv2d(3, 4, 3).double(), (X.double(),), strict=False)
    assert "float64" in refused(wide).message


def test_what_a_function_reads_is_copied_too() -> None:
    net, scale = Net(), torch.tensor([2.0], requires_grad=True)
    before = state_of(net)
    _, program = captured(lambda image: net.features(image) * scale, X)
    assert state_of(net) == before and scale.requires_grad and scale.grad is None
    with torch.no_grad():
        assert torch.allclose(
            program.run()[0], copy.deepcopy(net).eval().features(X) * 2, atol=1e-6
        )


@pytest.mark.parametrize(
    ("model", "example", "text"),
    [
        (Net(), np.zeros((1, 3, 8, 8), np.float32), "not tensors"),
        (Net(), (X, 3), "not those that"),
        (Mixed(), {"image": X, "bias": 2}, "no tensor"),
        (Mixed(), {"image": X, "bias": None}, "no tensor"),
        (Mixed(), {"image": X}, "not those that"),
        (Mixed(), {"picture": X, "bias": BIAS}, "not those that"),
        (Net(), (), "not tensors"),
        (Net(), {}, "not tensors"),
        (Net(), "image", "not tensors"),
        (Net(), torch.zeros(1, 5, 8, 8), "does not run"),
        (Net(), torch.zeros(1, 3, 8, 8, device="meta"), "no data"),
        (Net(), X.to_sparse(), "dense"),
        (Net(), torch.quantize_per_tensor(X, 0.1, 0, torch.qint8), "dense"),
        (Net().to("meta"), X, "no data"),
        (torch.jit.trace(nn.Conv2d(3, 4, 3), X), X, "TorchScript"),
        (lambda image: image * 2, None, "needs example inputs"),
        (lambda: 3, None, "gives no model"),
        (3, None, "is no model"),
        (None, None, "is no model"),
    ],
)
def test_what_is_no_model_or_no_input_is_refused(model: Any, example: Any, text: str) -> None:
    assert text in refused(model, example).message


class Halves(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        while bool(x.abs().max() > 1.0):
            x = x * 0.5
        return x


def test_parts_of_torchscript_become_graphs() -> None:
    scripted = torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).eval())
    net = nn.Sequential(nn.Conv2d(3, 3, 1), scripted).eval()
    source = resolve(net, X)
    assert isinstance(net[1], torch.jit.ScriptModule)  # of the caller's own
    assert "`1`" in source.notes[-1]
    outputs = capture(source).run((X * 2,))
    torch.testing.assert_close(outputs[0], net(X * 2))
    error = refused(nn.Sequential(nn.ReLU(), torch.jit.script(Halves())), X)
    assert "TorchScript" in error.message and error.where == "1" and "Loop" in error.why


def test_what_cannot_be_copied_is_refused() -> None:
    net = Net()
    net.lock = threading.Lock()  # type: ignore[assignment]
    error = refused(net, X)
    assert "cannot be copied" in error.message and "lock" in error.why


def test_a_builder_that_fails_is_told() -> None:
    def build() -> nn.Module:
        raise ValueError("no weights here")

    assert "no weights here" in refused(build).why


def test_the_spec_of_a_live_model_leads_nowhere() -> None:
    source, _ = captured(Net(), X)
    assert source.spec == "live:Net" and "test_live.py" in source.origin
    assert "not at hand" in refused(source.spec).message


def test_a_spec_takes_example_inputs() -> None:
    source, program = captured("zoo:vit-i32-p8-d24-h2-l1", torch.zeros(1, 3, 32, 32))
    assert not source.live and not program.inputs[0].any()
    assert "does not run" in refused("zoo:vit-i32-p8-d24-h2-l1", torch.zeros(1, 3, 40, 32)).message


def test_names_are_distinct() -> None:
    read = read_inputs(([X], X), lambda a, a_0: None, "f")
    assert len(set(read.names)) == 2


def test_torch_is_left_as_the_caller_has_it() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[union-attr]
        with torch.inference_mode(), torch.device("meta"), torch.autocast("cpu", torch.bfloat16):
            with default_torch():
                assert torch.zeros(1).dtype == torch.float32 and torch.zeros(1).device.type == "cpu"
                assert not torch.is_inference_mode_enabled() and torch.is_grad_enabled()
                assert (nn.Linear(2, 2)(torch.zeros(1, 2))).dtype == torch.float32
                torch.rand(3), np.random.rand(3)
            assert torch.is_inference_mode_enabled() and torch.is_autocast_enabled("cpu")
        assert torch.get_default_dtype() == torch.float64
        assert torch.equal(torch.get_rng_state(), before[0])
        assert np.random.get_state()[1].tolist() == before[1]  # type: ignore[union-attr]
    finally:
        torch.set_default_dtype(torch.float32)
