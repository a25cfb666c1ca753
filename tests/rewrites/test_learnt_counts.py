"""Counts of tokens that training has found, read from DiffRate's checkpoint and from its list of rates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from edgevit.errors import UsageError
from edgevit.rewrites.lossy.learnt_counts import learnt_counts
from edgevit.rewrites.lossy.parser import parse_lossy
from edgevit.rewrites.lossy.token_counts import TokenCounts


def checkpoint(path: Path, kept: list[tuple[int, int]], patches: int = 16) -> Path:
    """Write what a training saves: the first block has one candidate, the others all of them."""
    state: dict[str, torch.Tensor] = {"blocks.0.norm1.weight": torch.ones(4)}
    for block, numbers in enumerate(kept):
        for what, number in zip(("prune", "merge"), numbers, strict=True):
            candidates = torch.arange(patches, 0, -1.0 if block else -patches - 1.0)
            probability = torch.where(candidates == number - 1, 40.0, 0.0)
            state[f"blocks.{block}.{what}_ddp.kept_token_candidate"] = candidates
            state[f"blocks.{block}.{what}_ddp.selected_probability"] = probability
    torch.save({"model": state, "epoch": 3}, path)
    return path


def test_a_checkpoint_s_blocks_say_what_stays(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "net.pth", [(17, 17), (14, 12), (13, 13), (9, 5)])
    assert learnt_counts(str(path)) == (0, 5, 0, 7)  # no block has more than the one before
    assert TokenCounts.parsed("fuse-tokens", f"@{path}", 1).numbers == (0, 6, 0, 7)
    assert TokenCounts.parsed("merge-tokens", f"@{path}").for_each("merge-tokens", 5) == [0, 5, 0, 7, 0]  # fmt: skip


def test_a_number_between_two_candidates_is_rounded_up(tmp_path: Path) -> None:
    candidates = torch.tensor([16.0, 8.0])
    state = {"blocks.0.merge_ddp.kept_token_candidate": candidates, "blocks.0.merge_ddp.selected_probability": torch.tensor([0.0, 1.0])}  # fmt: skip
    torch.save(state, tmp_path / "net.pth")
    share = torch.tensor([0.0, 1.0]).softmax(0)
    assert learnt_counts(str(tmp_path / "net.pth")) == (16 - int(torch.ceil(candidates @ share)),)


def test_a_list_of_rates_has_them_too(tmp_path: Path) -> None:
    path = tmp_path / "rates.json"
    numbers = {"prune_kept_num": "[17,15,9]", "merge_kept_num": "[17,12,9]"}
    path.write_text(json.dumps({"tiny": {"0.6": numbers, "0.7": {"prune_kept_num": "None", "merge_kept_num": [17, 11]}}}))  # fmt: skip
    assert learnt_counts(f"{path}#tiny/0.6") == (0, 5, 3)
    assert learnt_counts(f"{path}#tiny/0.7") == (0, 6)


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"{}", b"[1]", b'{"prune_kept_num": [9, 9]}']
)
@pytest.mark.parametrize("name", ["net.pth", "rates.json", "none.pth"])
def test_a_file_without_counts_is_refused(content: bytes, name: str, tmp_path: Path) -> None:
    if name != "none.pth":
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match="cannot be") as refusal:
        parse_lossy(f"fuse-tokens=@{tmp_path / name}")
    assert name in refusal.value.why and refusal.value.hint


def test_other_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"blocks.0.norm1.weight": torch.ones(4)}, tmp_path / "net.pth")
    with pytest.raises(UsageError) as refusal:
        parse_lossy(f"merge-tokens=@{tmp_path / 'net.pth'}")
    assert "prune_ddp" in refusal.value.why
