"""Random nets: what the model computes, the rewritten program computes, and the saved package computes.

More of them: `pytest tests/generator --nets 2000`. One of them: `pytest tests/generator --net-seed 123`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from nets import random_net
from torch.utils._pytree import tree_leaves

from edgevit.backends.backend import Expected, Lowering
from edgevit.backends.coreml.backend import BACKEND
from edgevit.errors import CaptureError, ModelError, UnsupportedOp
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource
from edgevit.graph.program import Program
from edgevit.graph.text import graph_text
from edgevit.parity import distance
from edgevit.rewrites import engine
from edgevit.targets import load_target

CHUNK = 20
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


def rewritten(seed: int) -> tuple[ModelSource, tuple[torch.Tensor, ...], Program]:
    source = source_of(seed)
    expected = outputs_of(source)
    program, _ = engine.run(capture(source), BACKEND.rules)
    found = distance(expected, program.run())
    assert found.rel_l2 <= 1e-4, (
        f"seed {seed}: {found}\n{source.module.names}\n{graph_text(program)}"
    )
    return source, expected, program


def through_package(seed: int, folder: Path) -> None:
    source, expected, program = rewritten(seed)
    request = Lowering(program, source, load_target("iphone"), "fp32", folder, lambda _: None)
    artifact = BACKEND.lower(request)
    for parity in BACKEND.check(artifact, Expected(source.inputs, expected, program)):
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
def test_eager_is_rewritten_is_package(
    chunk: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    run_chunk(seeds(request.config, chunk), lambda seed: through_package(seed, tmp_path))


def test_eager_is_rewritten() -> None:
    run_chunk(range(10_000, 10_040), rewritten)
