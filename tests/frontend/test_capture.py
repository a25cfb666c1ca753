"""Capture gives a functional program, whatever the model writes into and whatever it wraps its calls in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from edgevit.errors import CaptureError
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.graph.aten import kind
from edgevit.graph.cost import stats
from edgevit.graph.program import Program


class Call(nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], object]) -> None:
        super().__init__()
        self.function = function
        self.register_buffer("table", torch.randn(4))

    def forward(self, x: torch.Tensor) -> object:
        return self.function(x)


X = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(0))


def captured(function: Callable[[torch.Tensor], object]) -> Program:
    return capture(
        ModelSource("t", "t", Call(function).eval(), (X.clone(),), ("x",), "a test", "as built")
    )


def plain(x: torch.Tensor) -> torch.Tensor:
    y = x + 1
    y.relu_()
    y += 2
    return y * y


def through_a_view(x: torch.Tensor) -> torch.Tensor:
    y = x + 1
    y[:, :2].mul_(3)
    return y


def base_read_after_view(x: torch.Tensor) -> torch.Tensor:
    y = x * 2
    flat = y.view(2, 24)
    y.add_(1)
    return flat + y.view(2, 24)


def slice_assigned(x: torch.Tensor) -> torch.Tensor:
    y = torch.zeros_like(x)
    y[:, ::2] = x[:, ::2]
    return y + x


def without_gradients(x: torch.Tensor) -> torch.Tensor:
    y = x * 2
    with torch.no_grad():
        z = torch.sin(y) + 1
    return z * y


def without_autocast(x: torch.Tensor) -> torch.Tensor:
    with torch.autocast("cpu", enabled=False):
        a, b = x.float().chunk(2, 1)
        y = a @ b.transpose(1, 2)
    return y + 1


FUNCTIONS = [
    plain,
    through_a_view,
    base_read_after_view,
    slice_assigned,
    without_gradients,
    without_autocast,
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_the_program_is_functional_and_computes_the_same(
    function: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    program = captured(function)
    assert torch.equal(program.run()[0], function(X.clone()))
    for node in program.calls():
        schema = getattr(node.target, "_schema", None)
        assert schema is None or not schema.is_mutable, node


def test_a_linear_whose_weight_is_a_vector_is_a_product() -> None:
    def weighed(x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x, torch.arange(6.0), torch.tensor(0.5))

    program = captured(weighed)
    assert torch.equal(program.run()[0], weighed(X))
    assert stats(program).macs == X.numel()


def test_writes_by_a_mask_are_choices() -> None:
    def written(x: torch.Tensor) -> torch.Tensor:
        mask, rows = x > 0.2, x[..., 0] > 0
        y, z, ones = x.clone(), x.clone(), torch.ones_like(x)
        y[mask] = y[mask] * 2 + x.abs()[mask].sqrt()
        y[~mask] = 0.5
        z[rows] = z[rows].exp() - 1
        ones[mask] = x[mask]
        return torch.stack([y, z, ones])

    program = captured(written)
    assert "index_put" not in {kind(node) for node in program.calls()}
    for x in (X, -X * 3, torch.zeros_like(X)):
        assert torch.equal(program.run((x,))[0], written(x))


def test_a_write_of_what_another_mask_reads_is_refused() -> None:
    def written(x: torch.Tensor) -> torch.Tensor:
        y, mask = x.clone(), x > 0
        y[mask] = x.flip(-1)[mask.flip(-1)]  # as many, and from other places
        return y

    with pytest.raises(CaptureError):
        captured(written)


def test_the_users_input_is_left_alone() -> None:
    program = captured(plain)
    before = program.inputs[0].clone()
    program.run()
    assert torch.equal(program.inputs[0], before)


def test_autocast_that_is_on_is_refused_with_its_line() -> None:
    def narrowed(x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return x @ x.transpose(1, 2)

    with pytest.raises(CaptureError, match="autocast on") as caught:
        captured(narrowed)
    assert "test_capture.py" in caught.value.where


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (lambda x: x + 1, ("output",)),
        (lambda x: (x + 1, None, x + 2), ("output_0", "output_2")),
        (
            lambda x: {"logits": x + 1, "features": [x * 2, x]},
            ("logits", "features_0", "features_1"),
        ),
    ],
)
def test_outputs_are_named(
    function: Callable[[torch.Tensor], object], names: tuple[str, ...]
) -> None:
    program = captured(function)
    assert program.output_names == names
    assert len(program.run()) == len(names)


def test_a_model_without_a_tensor_output_is_refused() -> None:
    with pytest.raises(CaptureError, match="returns no tensor"):
        captured(lambda x: 3)


def test_every_call_knows_where_it_came_from() -> None:
    for node in captured(plain).calls():
        assert "test_capture.py:" in node.meta["origin"].source


class Branching(nn.Module):
    """A model whose forward branches on what `condition` reads of its buffer, or of its input."""

    def __init__(self, condition: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.shares = nn.Buffer(torch.tensor([1.0, 0.0, 0.5]))
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.condition = condition

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for share in self.shares:
            if self.condition(share * self.scale, x) > 0.5:
                x = x + share
        return x


def branching(condition: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> ModelSource:
    x = torch.randn(2, 3)
    return ModelSource("t:n", "n", Branching(condition).eval(), (x,), ("x",), "a test", "random")


def test_a_branch_on_numbers_of_the_model_alone_is_taken() -> None:
    program = capture(branching(lambda share, x: share))
    assert [kind(node) for node in program.calls()].count("add") == 2
    torch.testing.assert_close(program.run()[0], program.inputs[0] + 1.5)


@pytest.mark.parametrize(
    "condition",
    [
        lambda share, x: x.sum(),
        lambda share, x: share.clone().add_(x.sum()),
        lambda share, x: share.clone().uniform_(),
    ],
)
def test_a_branch_on_data_is_refused(
    condition: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> None:
    with pytest.raises(CaptureError, match="control flow depends on its data"):
        capture(branching(condition))


def test_a_branch_on_a_number_that_the_model_counts_up_is_refused() -> None:
    source = branching(lambda share, x: share)

    def count(x: torch.Tensor) -> torch.Tensor:
        module.scale.add_(1)
        return x * 2 if module.scale > 3.5 else x

    module = source.module
    module.forward = count
    with pytest.raises(CaptureError, match="control flow depends on its data"):
        capture(source)
    assert module.scale == 2


class Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm2d(4), nn.BatchNorm2d(4, affine=False).bfloat16()])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norms[0](x.to(memory_format=torch.channels_last)).bfloat16()
        return self.norms[1](y)


def test_batch_norms_have_the_types_and_strides_of_torchs_own_trace() -> None:
    net, x = Normed().eval(), torch.randn(2, 4, 3, 5)
    own = torch.export.export(net, (x,), strict=False)
    program = capture(ModelSource("t", "t", net, (x,), ("x",), "a test", "as built"))
    assert len(laid_out(own.graph)) == 2
    assert laid_out(own.graph) == laid_out(program.graph)
    decomposed = own.run_decompositions()  # whose table the capture has left as it was
    assert torch.allclose(decomposed.module()(x).float(), net(x).float(), rtol=1e-2)


def laid_out(graph: torch.fx.Graph) -> list[tuple[object, ...]]:
    norms = [n.meta["val"] for n in graph.nodes if n.target is torch.ops.aten.batch_norm.default]
    return [(value.dtype, value.shape, value.stride()) for value in norms]


class Sampled(nn.Linear):
    """Layer of a supernet: parts of its weights, taken when a size was chosen."""

    def __init__(self) -> None:
        super().__init__(6, 8)
        self.samples = {"weight": self.weight[:5], "bias": self.bias[:5]}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x, self.samples["weight"], self.samples["bias"])


def test_parts_of_a_supernet_are_its_constants(recwarn: pytest.WarningsRecorder) -> None:
    model = Sampled().eval()
    program = capture(ModelSource("t", "t", model, (X.clone(),), ("x",), "a test", "as built"))
    torch.testing.assert_close(program.run()[0], model(X).detach())
    assert not recwarn.list
