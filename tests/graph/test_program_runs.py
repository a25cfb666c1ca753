"""A program runs on its example once, whoever asks."""

from __future__ import annotations

from dataclasses import replace

import torch

from edgevit.graph.execute import GraphRun
from tests.rewrites.checking import Call, program_for


def test_the_example_is_computed_once_and_other_inputs_each_time(monkeypatch) -> None:
    program = program_for(Call(lambda _, x: x * 2), torch.ones(3))
    ran: list[object] = []
    run = GraphRun.run
    monkeypatch.setattr(GraphRun, "run", lambda self, inputs: ran.append(inputs) or run(self, inputs))  # fmt: skip
    assert program.run()[0].tolist() == program.run()[0].tolist() == [2, 2, 2]
    assert program.run((torch.zeros(3),))[0].tolist() == [0, 0, 0]
    assert replace(program, inputs=(torch.full((3,), 4.0),)).run()[0].tolist() == [8, 8, 8]
    assert len(ran) == 3


def test_what_is_made_without_a_type_is_float64_too() -> None:
    def scattered(_: object, x: torch.Tensor) -> torch.Tensor:
        places = x.argsort(1)
        return torch.zeros(2, 3).scatter_add(1, places, x) + torch.arange(3) + torch.ones(3)

    exact = program_for(Call(scattered), torch.rand(2, 3)).in_float64()
    assert exact.run()[0].dtype == torch.float64
