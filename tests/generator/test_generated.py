"""Random nets: what the model computes, the rewritten program computes, and so does the artifact of each format,
read from disk by its own runtime (Core ML: by our interpreter).

More of them: `pytest tests/generator --nets 2000`. One of them: `pytest tests/generator --net-seed 123`.
One format: `-k onnx`.
"""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
import torch
from nets import random_net
from torch.utils._pytree import tree_leaves

from edgevit.backends.backend import Backend, Expected, Lowering, backend_for
from edgevit.errors import CaptureError, ModelError, UnsupportedOp
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.graph.program import Program
from edgevit.graph.text import graph_text
from edgevit.parity import distance
from edgevit.rewrites import engine
from edgevit.targets import load_target

CHUNK = 20
TARGETS = {
    "coreml": "iphone",
    "onnx": "linux-x86",
    "executorch": "linux-x86",
    "tflite": "linux-x86",
}  # format -> a device that takes it
MAY_REFUSE = 0.15  # of each chunk: a refusal is an answer, but not the only one
REFUSALS = (CaptureError, ModelError, UnsupportedOp)


def source_of(seed: int) -> ModelSource:
    net, inputs = random_net(seed)
    names = ("image", "gate")[: len(inputs)]
    return ModelSource("random", f"net{seed}", net, inputs, names, "the generator", f"seed {seed}")


def outputs_of(source: ModelSource) -> tuple[torch.Tensor, ...]:
    with torch.no_grad():
        found = source.module(*(x.clone() for x in source.inputs))
    return tuple(leaf for leaf in tree_leaves(found) if isinstance(leaf, torch.Tensor))


def backend(format: str) -> Backend:
    return backend_for(format, load_target(TARGETS[format]))


def rewritten(
    seed: int, format: str = "coreml"
) -> tuple[ModelSource, tuple[torch.Tensor, ...], Program]:
    source = source_of(seed)
    expected = outputs_of(source)
    program, _ = engine.run(capture(source), backend(format).rules)
    found = distance(expected, program.run())
    assert found.rel_l2 <= 1e-4, (
        f"seed {seed}: {found}\n{source.module.names}\n{graph_text(program)}"
    )
    return source, expected, program


def through_artifact(seed: int, format: str, folder: Path) -> None:
    source, expected, program = rewritten(seed, format)
    target = load_target(TARGETS[format])
    request = Lowering(program, source, target, "fp32", folder, lambda _: None)
    artifact = backend(format).lower(request)
    for parity in backend(format).check(artifact, Expected(source.inputs, expected, program)):
        assert parity.passed, f"seed {seed}: {parity}\n{source.module.names}\n{graph_text(program)}"


def seeds(config: pytest.Config, chunk: int) -> range:
    chosen = config.getoption("--net-seed")
    if chosen is not None:
        return range(chosen, chosen + 1) if chunk == 0 else range(0)
    return range(chunk * CHUNK, min((chunk + 1) * CHUNK, config.getoption("--nets")))


def run_chunk(which: range, one) -> None:
    refused = []
    for seed in which:
        try:
            one(seed)
        except REFUSALS as refusal:
            refused.append(f"seed {seed}: {refusal}")
        except Exception as error:
            raise AssertionError(
                f"seed {seed}: pytest tests/generator --net-seed {seed}"
            ) from error
    assert len(refused) <= MAY_REFUSE * max(len(which), 7), "\n".join(refused)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "chunk" in metafunc.fixturenames:
        count = max(1, -(-metafunc.config.getoption("--nets") // CHUNK))
        metafunc.parametrize("chunk", range(count))


@pytest.mark.slow
@pytest.mark.parametrize("format", TARGETS)
def test_eager_is_rewritten_is_artifact(
    format: str, chunk: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    one = functools.partial(through_artifact, format=format, folder=tmp_path)
    run_chunk(seeds(request.config, chunk), one)


def test_eager_is_rewritten() -> None:
    run_chunk(range(10_000, 10_040), rewritten)
