"""Trained nets in integers: the file gives the same answers on labelled pictures as its simulation."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from edgevit.backends.api import Lowering, backend_for
from edgevit.frontend.resolve import resolve
from edgevit.quantize.run import plain_simulation
from edgevit.rewrites import engine
from edgevit.rewrites.standard import STANDARD
from edgevit.support.backend_info import BACKENDS
from edgevit.targets import load_target
from tests import ROOT
from tests.backends.runtimes.test_integer_layers import require_library, target_of
from tests.fuzzed.fresh import captured_of
from tests.quantize import bed

COUNT = 100


@pytest.mark.parametrize(
    ("format", "net"),
    [
        ("onnx", "conv"),
        *(
            pytest.param(format, net, marks=pytest.mark.long)
            for format in ("onnx", "tflite", "executorch", "tvm", "qnn")
            for net in ("vit", "hybrid", "mvit", "conv")
        ),
    ],
)
def test_file_and_simulation_answer_alike(format: str, net: str, tmp_path: Path) -> None:
    require_library(format)
    target = load_target(target_of(format))
    images, labels = bed.pictures("test", COUNT)
    train, _ = bed.pictures("train", 16)
    source = resolve(f"{ROOT}/tests/quantize/bed/nets.py:{net}")
    backend = backend_for(format, target)
    program, _ = engine.run(captured_of(bed.net(net), train[:1]), (*STANDARD, *backend.rules))
    scheme = BACKENDS[format].scheme("int8", target)
    assert scheme is not None
    simulation = plain_simulation(program, [(image[None],) for image in train], scheme)
    request = Lowering(simulation, source, target, "int8", tmp_path, lambda _: None)
    open_session = BACKENDS[format].part(str(BACKENDS[format].session))
    session = open_session(backend.lower(request).path, 1)
    written = torch.cat([torch.from_numpy(session.run([x[None].numpy()])[0]) for x in images])
    meant = torch.cat([simulation.run((image[None],))[0] for image in images])
    assert (written.argmax(1) == meant.argmax(1)).float().mean() >= 0.99
    assert abs(bed.accuracy(written, labels) - bed.accuracy(meant, labels)) <= 1
