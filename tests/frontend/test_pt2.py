"""`.pt2` files: loaded like any model, and nothing in them is executed without --trust."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from edgevit.errors import ModelError
from edgevit.frontend.capture import capture
from edgevit.frontend.resolve import resolve


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"map": torch.relu(self.norm(self.conv(x)))}


X = torch.randn(1, 3, 8, 8)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pt2") / "net.pt2"
    torch.manual_seed(0)
    torch.export.save(torch.export.export(Net().eval(), (X,)), str(path))
    return path


def rewritten(good: Path, path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The archive with its members changed, by their names without the root folder."""
    with zipfile.ZipFile(good) as archive:
        root = archive.namelist()[0].split("/")[0]
        members = {n.removeprefix(root + "/"): archive.read(n) for n in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(name if name.startswith("..") else f"{root}/{name}", data)
    return path


def test_a_plain_program_is_resolved_and_captured(good: Path) -> None:
    source = resolve(str(good))
    assert source.exported is not None
    assert source.name == "net"
    program = capture(source)
    assert program.output_names == ("map",)
    torch.manual_seed(0)
    expected = Net().eval()(source.inputs[0])["map"]
    assert torch.allclose(program.run()[0], expected, atol=1e-6)


def test_the_rebuilt_archive_is_what_is_loaded(good: Path, tmp_path: Path) -> None:
    same = rewritten(good, tmp_path / "same.pt2", lambda members: None)
    assert capture(resolve(str(same))).output_names == ("map",)


def refused(path: Path, **options: object) -> ModelError:
    with pytest.raises(ModelError) as caught:
        resolve(str(path), **options)
    return caught.value


def test_what_is_not_an_exported_program(good: Path, tmp_path: Path) -> None:
    whole = good.read_bytes()
    (tmp_path / "half.pt2").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.pt2").write_text("hello")
    with zipfile.ZipFile(tmp_path / "foreign.pt2", "w") as archive:
        archive.writestr("a/readme.txt", "hello")
    for name in ("half", "text", "foreign"):
        error = refused(tmp_path / f"{name}.pt2")
        assert "is not an exported program" in error.message
        assert error.why
    assert "no file" in refused(tmp_path / "none.pt2").message


class Payload:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.marker,)


def torch_pickle(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def changed_program(members: dict[str, bytes], change: Callable[[dict], None]) -> None:
    program = json.loads(members["models/model.json"])
    change(program)
    members["models/model.json"] = json.dumps(program).encode()


def nodes(program: dict) -> list[dict]:
    return program["graph_module"]["graph"]["nodes"]


def hostile_example(members: dict[str, bytes], marker: Path) -> None:
    members["data/sample_inputs/model.pt"] = torch_pickle(Payload(marker))


def hostile_raw_pickle(members: dict[str, bytes], marker: Path) -> None:
    members["data/sample_inputs/model.pt"] = pickle.dumps(Payload(marker))


def hostile_weight(members: dict[str, bytes], marker: Path) -> None:
    name = "data/weights/model_weights_config.json"
    config = json.loads(members[name])
    entry = next(iter(config["config"].values()))
    entry["use_pickle"] = True
    members[f"data/weights/{entry['path_name']}"] = torch_pickle(Payload(marker))
    members[name] = json.dumps(config).encode()


def hostile_operator(members: dict[str, bytes], marker: Path) -> None:
    changed_program(members, lambda p: nodes(p)[0].update(target="torch.os.system"))


def hostile_python(members: dict[str, bytes], marker: Path) -> None:
    changed_program(members, lambda p: nodes(p)[0].update(target="torch.load"))


def hostile_expression(members: dict[str, bytes], marker: Path) -> None:
    code = f"__import__('pathlib').Path({str(marker)!r}).touch()"

    def change(program: dict) -> None:
        values = program["graph_module"]["graph"]["tensor_values"]
        next(iter(values.values()))["sizes"][0] = {"as_expr": {"expr_str": code, "hint": None}}

    changed_program(members, change)


def hostile_name(members: dict[str, bytes], marker: Path) -> None:
    code = f"x: __import__('pathlib').Path({str(marker)!r}).touch()"
    changed_program(members, lambda p: nodes(p)[0].update(name=code))


def hostile_library(members: dict[str, bytes], marker: Path) -> None:
    members["data/aotinductor/model/payload.so"] = b"\x7fELF"


def hostile_path(members: dict[str, bytes], marker: Path) -> None:
    members["../../escaped"] = b"x"


HOSTILE = [hostile_example, hostile_raw_pickle, hostile_weight, hostile_operator, hostile_python, hostile_expression,
           hostile_name, hostile_library, hostile_path]  # fmt: skip


@pytest.mark.parametrize("attack", HOSTILE, ids=lambda f: f.__name__)
def test_nothing_in_a_hostile_file_is_executed(
    attack: Callable[[dict[str, bytes], Path], None], good: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "executed"
    path = rewritten(good, tmp_path / "bad.pt2", lambda members: attack(members, marker))
    error = refused(path)
    assert not marker.exists()
    assert "--trust" in error.hint or attack is hostile_raw_pickle, error


def test_the_payloads_are_live(good: Path, tmp_path: Path) -> None:
    """With --trust the same file does run: else the tests above would prove nothing."""
    marker = tmp_path / "executed"
    path = rewritten(good, tmp_path / "bad.pt2", lambda members: hostile_example(members, marker))
    with contextlib.suppress(ModelError):
        resolve(str(path), trust=True)
    assert marker.exists()


def test_a_compressed_member_may_be_a_bomb(good: Path, tmp_path: Path) -> None:
    shutil.copy(good, tmp_path / "bomb.pt2")
    with zipfile.ZipFile(tmp_path / "bomb.pt2", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(archive.namelist()[0].split("/")[0] + "/extra/zeros", bytes(10_000_000))
    assert "compressed" in refused(tmp_path / "bomb.pt2").why


def test_training_mode_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "train.pt2"
    torch.export.save(torch.export.export(Net().train(), (X,)), str(path))
    assert "training mode" in refused(path).message
