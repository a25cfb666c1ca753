"""Heads as NumPy: every form computes what torch does, and what has none is refused by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from edgevit.errors import UnsupportedOpError
from edgevit.frontend.capture import capture
from edgevit.frontend.resolve import resolve
from edgevit.graph.aten import kind
from edgevit.graph.head import split_head
from edgevit.snippets import load_head, require_head_forms, with_head_forms, write_head
from edgevit.snippets.head_forms import FORMS

X = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Forms(nn.Module):
    """Calls of heads, behind one convolution; each row is an output."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, 1, 1)
        nn.init.normal_(self.conv.weight, 0, 0.5, generator=torch.Generator().manual_seed(1))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        y = self.conv(x)
        one, other, third = y.split([1, 2, 3], 1)
        small, large = y.chunk(2, -1)
        rows = y.flatten(2)
        values, places = rows.sort(-1, descending=True)
        whole = (rows * 9).to(torch.int64)
        first, second = torch.unbind(other, 1)
        return [
            y.sigmoid(),
            (y * 200).sigmoid(),
            y.softmax(1),
            (y.exp() + 1).log().sqrt() + y.sin() * y.cos() - y.tanh() / (y.abs() + 1),
            torch.add(y, y.floor(), alpha=2) - torch.sub(y, y.ceil(), alpha=0.5),
            1 - y,
            torch.rsub(y, 2.0, alpha=3),
            y.square() ** 1.5 + y.clamp(-1, 1) + y.clamp(min=0.2) + (y.square() + 1).rsqrt(),
            torch.div(y, 0.3, rounding_mode="floor") + torch.div(y, 0.3, rounding_mode="trunc"),
            whole // 4 + whole % 4,
            -y.round() + y.reciprocal().clamp(-9, 9),
            torch.where(y > 0, y, y * 0.1),
            torch.stack([first, second], -1).permute(3, 0, 2, 1).transpose(0, 1),
            torch.cat([one, third], 1)[:, 1:, ::2, -3:],
            small.unsqueeze(1).expand(-1, 2, -1, -1, -1).reshape(2, -1, 4)[..., 0],
            torch.maximum(large, small).select(1, -1).repeat(1, 2, 1),
            values[..., :7],
            torch.gather(rows, 2, places[:, :3, :5]),
            rows.topk(4, 1, largest=False).values,
            torch.argsort(rows[:, 0], -1),
            rows.index_select(1, torch.tensor([2, 0])),
            rows[:, [0, 3], [5, 1]],
            rows.cumsum(-1),
            rows.max(-1).values + rows.min(-1).values,
            rows.max(1).indices + rows.argmin(1),
            rows.amax((1, 2)) + rows.amin((1, 2)) + rows.sum((1, 2)) + rows.mean((1, 2)),
            rows.sum() + rows.mean() + rows.max(),
            torch.logical_and(y > 0, torch.logical_not(y >= 1)),
            torch.logical_or(y < 0, y <= -1),
            torch.atan2(y, y + 1).mT.flip(-1, 1),
            rows.narrow(-1, -5, 4).masked_fill(rows[..., :4] > 0, 7.0) * torch.arange(1, 5),
            torch.where(whole == 3, 1.0, 0.0) + torch.where(whole != 2, rows, 0.5),
            torch.minimum(rows, rows + 1),
        ]


class Defined(nn.Module):
    """Calls of heads without a form, whose definitions have one; each row is an output."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, 1, 1)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        rows = self.conv(x).flatten(2)
        shifted, marked = rows.clone(), rows.clone()
        shifted[..., 1:3] = rows[..., :2] * 2
        shifted[:, 1] = 0.5
        marked[marked > 0.3] = 9.0
        near = (rows > 0) & (rows < 0.5) | ~(rows > -0.5)
        return [
            shifted, marked, near.any(-1), rows.roll(3, -1), F.pad(rows, (1, -2), value=0.5),
            rows.log_softmax(1), rows.std(-1), F.one_hot(rows.argmax(1), 6), rows.atan(),
            torch.meshgrid(rows[0, :, 0], rows[1, 0, :4], indexing="ij")[1],
        ]  # fmt: skip


def test_calls_without_a_form_are_written_by_their_definitions(tmp_path: Path) -> None:
    split = split_head(capture(resolve(Defined(), (X,))))
    assert len([node for node in split.head.calls() if kind(node) not in FORMS]) >= 12
    head = with_head_forms(split.head)
    require_head_forms(head)
    code = load_head(write_head(tmp_path, head))
    for x in (X, X.flip(-1) * 3):
        expected, actual = split.whole.run((x,)), code(split.body.run((x,)))
        for k, (a, b) in enumerate(zip(expected, actual, strict=True)):
            assert (a.shape, a.dtype) == (b.shape, b.dtype), k
            torch.testing.assert_close(b, a, rtol=2e-5, atol=2e-5, msg=lambda text, k=k: f"{k}: {text}")  # fmt: skip


def test_every_form_computes_what_torch_does(tmp_path: Path) -> None:
    program = capture(resolve(Forms(), (X,)))
    split = split_head(program)
    require_head_forms(split.head)
    head = load_head(write_head(tmp_path, split.head))
    for x in (X, X.flip(-1) * 3):
        expected, actual = program.run((x,)), head(split.body.run((x,)))
        for k, (a, b) in enumerate(zip(expected, actual, strict=True)):
            assert (a.shape, a.dtype) == (b.shape, b.dtype), k
            torch.testing.assert_close(b, a, rtol=2e-5, atol=2e-5, msg=lambda text, k=k: f"{k}: {text}")  # fmt: skip
    used = {kind(node) for node in split.head.calls()}
    assert len(used & FORMS.keys()) >= 50


def test_the_file_runs_by_itself(tmp_path: Path) -> None:
    split = split_head(capture(resolve(Forms(), (X,))))
    file = write_head(tmp_path, split.head)
    assert "import torch" not in file.read_text()
    done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == len(split.head.output_names)
    assert not done.stderr


def test_what_has_no_form_is_named() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.erfinv(self.conv(x).tanh())

    head = split_head(capture(resolve(Odd(), (X,)))).head
    with pytest.raises(UnsupportedOpError, match="erfinv") as caught:
        require_head_forms(head)
    assert caught.value.where and caught.value.why and caught.value.hint
