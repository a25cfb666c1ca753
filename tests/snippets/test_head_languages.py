"""Heads in C, Swift and Kotlin: one description, C and C++ run against the model, all read by the languages' grammars."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from edgevit.frontend.capture import capture
from edgevit.frontend.resolve import resolve
from edgevit.graph.head import SplitProgram, split_head
from edgevit.snippets import (
    head_forms,
    run_compiled,
    with_head_forms,
    write_head,
    write_languages,
)
from edgevit.snippets.head_rules import RULES
from tests.detector import Detector
from tests.snippets.grammar import require_grammars, syntax_errors
from tests.snippets.test_head_python import Defined, Forms, X

COMPILERS = {"c": ("cc", "-std=c99"), "c++": ("c++", "-x", "c++", "-std=c++11")}
STRICT = ("-Wall", "-Wextra", "-Werror")
KOTLIN_ARRAYS = {"Float", "Long", "Boolean", "Double", "Int"}


class More(nn.Module):
    """Whole reductions, axes of one, places from the end and equal values."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, 2, 1)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        y = self.conv(x)[:1]
        rows = ((y * 3).round() / 3).flatten(1)
        ids = rows.argmax(-1, keepdim=True)
        return [
            rows.sum(), rows.max(-1).indices, rows.min(-1).values, rows.mean(), rows.argmin(),
            torch.sort(rows, stable=True, dim=-1).indices, rows.softmax(-1), rows.cumsum(-1)[:, -1:],
            torch.gather(rows, 1, ids), rows[:, torch.tensor([-1, 0])], y.amax((-1, -2)),
            torch.where(y.isfinite(), y, 0.0) + y.sign(), (y > 0).to(torch.int64).sum(1), y.mT,
        ]  # fmt: skip


def split_of(net: nn.Module, x: torch.Tensor) -> SplitProgram:
    return split_head(capture(resolve(net, (x,))))


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[SplitProgram, Path]]:
    torch.manual_seed(0)
    written = []
    image = torch.randn(1, 3, 16, 16)
    for net, x in ((Forms(), X), (Detector(), image), (More(), X), (Defined(), X)):
        split, folder = split_of(net, x), tmp_path_factory.mktemp("head")
        split = replace(split, head=with_head_forms(split.head))
        assert not write_languages(write_head(folder, split.head), split.head)
        written.append((split, folder))
    return written


@pytest.mark.parametrize("language", COMPILERS)
def test_what_a_compiler_makes_of_it_computes_what_the_model_does(
    heads: list[tuple[SplitProgram, Path]], language: str
) -> None:
    words = COMPILERS[language]
    if shutil.which(words[0]) is None:
        pytest.skip(f"no {words[0]}")
    for split, folder in heads:
        inputs = split.whole.inputs[0].flip(-1) * 2
        expected = split.whole.run((inputs,))
        outputs = run_compiled(folder, split.body.run((inputs,)), expected, (*words, *STRICT))
        for number, (ours, theirs) in enumerate(zip(outputs, expected, strict=True)):
            torch.testing.assert_close(ours, theirs, rtol=2e-5, atol=2e-5, msg=lambda m, n=number: f"{n}: {m}")  # fmt: skip


def test_swift_and_kotlin_are_read_by_their_grammars_and_have_the_same_loops(
    heads: list[tuple[SplitProgram, Path]],
) -> None:
    require_grammars()
    for _, folder in heads:
        files = [folder / "head" / name for name in ("head.c", "Head.swift", "Head.kt")]
        assert not syntax_errors(files[1]) and not syntax_errors(files[2])
        c, swift, kotlin = (path.read_text() for path in files)
        assert _stores(c) == _stores(swift) == _stores(kotlin)
        assert len(_stores(c)) >= 9
        assert set(re.findall(r"(\w+)Array\b", kotlin)) <= KOTLIN_ARRAYS


def _stores(text: str) -> list[str]:
    """Return where values of the head go: the arrays and the places in them."""
    return re.findall(r"^ +(v_\w+\[[^\]]*\]) =", text, re.MULTILINE)


def test_every_form_in_python_has_one_in_loops() -> None:
    assert head_forms.FORMS.keys() <= RULES.keys()


def test_what_has_no_loops_is_named(tmp_path: Path) -> None:
    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x).double().exp()

    head = split_of(Wide(), X).head
    assert write_languages(write_head(tmp_path, head), head) == "torch.float64"
    assert not (tmp_path / "head" / "head.c").exists()
