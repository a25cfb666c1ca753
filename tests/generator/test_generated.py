"""Random nets: what the model computes, the rewritten program computes, and so does the artifact of each format,
read from disk by its own runtime (Core ML: by our interpreter).

A few nets with as many spellings among them as possible run by default. The first N seeds: `pytest tests/generator --nets N`.
One of them: `--net-seed 123`. One format: `-k onnx`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch.utils._pytree import tree_leaves

from edgevit.backends.api import Backend, Expected, Lowering, backend_for
from edgevit.backends.bisect import blamed_on_a_call
from edgevit.errors import CaptureError, ModelError, UnsupportedOpError
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.graph.parity import distance
from edgevit.graph.program import Program
from edgevit.graph.text import graph_text
from edgevit.rewrites import engine
from edgevit.targets import load_target
from tests.generator.covering import covering_seeds, uncovered_blocks
from tests.generator.nets import random_net

CHUNK = 10
COVERING = 44  # nets of a default run
TARGETS = {
    "coreml": "iphone",
    "onnx": "linux-x86",
    "executorch": "linux-x86",
    "tflite": "linux-x86",
}  # format -> a device that takes it
MAY_REFUSE = 0.3  # of each chunk, chosen for its rare spellings: a refusal is an answer, but not the only one
REFUSALS = (CaptureError, ModelError, UnsupportedOpError)


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
    with blamed_on_a_call(backend(format), request, format):
        artifact = backend(format).lower(request)
        parities = backend(format).check(artifact, Expected(source.inputs, expected, program))
    for parity in parities:
        assert parity.passed, f"seed {seed}: {parity}\n{source.module.names}\n{graph_text(program)}"


def seeds(config: pytest.Config) -> tuple[int, ...]:
    seed, count = config.getoption("--net-seed"), config.getoption("--nets")
    if seed is not None:
        return (seed,)
    return covering_seeds(COVERING) if count is None else tuple(range(count))


def run_chunk(which: Sequence[int], one) -> None:
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


def seeds_of(format: str, config: pytest.Config) -> tuple[int, ...]:
    """Choose the nets of a format: in a default run each converter gets its part of them, slow ones the smaller."""
    chosen = seeds(config)
    if config.getoption("--net-seed") is not None or config.getoption("--nets") is not None:
        return chosen
    parts = {"executorch": chosen[5::8], "tflite": chosen[2::8], "onnx": chosen[::3]}
    return parts.get(format, chosen[1::3])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "chunk" not in metafunc.fixturenames:
        return
    whole = {format: seeds_of(format, metafunc.config) for format in TARGETS}
    cases = [
        pytest.param(format, chosen[k : k + CHUNK], id=f"from {chosen[k]}-{format}")
        for format, chosen in whole.items()
        for k in range(0, len(chosen), CHUNK)
    ]
    metafunc.parametrize(("format", "chunk"), cases)


@pytest.mark.slow
def test_eager_is_rewritten_is_artifact(
    format: str, chunk: tuple[int, ...], tmp_path: Path
) -> None:
    run_chunk(chunk, functools.partial(through_artifact, format=format, folder=tmp_path))


def test_a_default_run_has_every_kind_of_block() -> None:
    assert not uncovered_blocks(covering_seeds(COVERING))


def test_eager_is_rewritten() -> None:
    run_chunk(range(10_000, 10_020), rewritten)
