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

from edgevit.errors import CaptureError, ModelError, UsageError
from edgevit.frontend import pt2_file, pt2_trial
from edgevit.frontend import pt2_strings as strings
from edgevit.frontend.capture import capture
from edgevit.frontend.resolve import resolve


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"map": torch.relu(self.norm(self.conv(x)))}


X = torch.randn(1, 3, 8, 8)


@pytest.fixture(autouse=True)
def _without_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process with torch for each would take seconds; those that are about it have it."""
    monkeypatch.setattr(pt2_file, "try_apart", lambda *_: None)


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
    assert source.input_names == ("x",)
    assert torch.equal(source.inputs[0], X)  # the example inputs in the file
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


def hostile_constant(members: dict[str, bytes], marker: Path) -> None:
    name = "data/constants/model_constants_config.json"
    config = json.loads(members[name])
    config["config"]["extra"] = {
        "path_name": "tensor_9",
        "is_param": False,
        "use_pickle": True,
        "tensor_meta": None,
    }
    members["data/constants/tensor_9"] = torch_pickle(Payload(marker))
    members[name] = json.dumps(config).encode()


def hostile_object(members: dict[str, bytes], marker: Path) -> None:
    name = "data/constants/model_constants_config.json"
    config = json.loads(members[name])
    config["config"]["extra"] = {
        "path_name": "opaque_obj_0",
        "is_param": False,
        "use_pickle": True,
        "tensor_meta": None,
    }
    members["data/constants/opaque_obj_0"] = pickle.dumps(Payload(marker))
    members[name] = json.dumps(config).encode()


def touch(marker: Path) -> str:
    return f"__import__('pathlib').Path({str(marker)!r}).touch()"


def hostile_expression(members: dict[str, bytes], marker: Path) -> None:
    def change(program: dict) -> None:
        values = program["graph_module"]["graph"]["tensor_values"]
        size = {"as_expr": {"expr_str": touch(marker), "hint": None}}
        next(iter(values.values()))["sizes"][0] = size

    changed_program(members, change)


def hostile_guard(members: dict[str, bytes], marker: Path) -> None:
    changed_program(members, lambda p: p.update(guards_code=[touch(marker) + " or True"]))


def hostile_name(members: dict[str, bytes], marker: Path) -> None:
    """An input's name is pasted into the source of forward: as a default value it is evaluated."""
    program = json.loads(members["models/model.json"])
    renamed = replaced(program, "x", f"x={touch(marker)}")
    members["models/model.json"] = json.dumps(renamed).encode()


def replaced(value: object, old: str, new: str) -> object:
    if isinstance(value, dict):
        return {replaced(k, old, new): replaced(v, old, new) for k, v in value.items()}
    if isinstance(value, list):
        return [replaced(v, old, new) for v in value]
    return new if value == old else value


def hostile_operator(members: dict[str, bytes], marker: Path) -> None:
    changed_program(members, lambda p: nodes(p)[0].update(target="torch.os.system"))


def hostile_python(members: dict[str, bytes], marker: Path) -> None:
    changed_program(members, lambda p: nodes(p)[0].update(target="torch.load"))


def hostile_node(members: dict[str, bytes], marker: Path) -> None:
    changed_program(members, lambda p: nodes(p)[0].update(name=f"x: {touch(marker)}"))


def hostile_library(members: dict[str, bytes], marker: Path) -> None:
    members["data/aotinductor/model/payload.so"] = b"\x7fELF"


def hostile_path(members: dict[str, bytes], marker: Path) -> None:
    members["../../escaped"] = b"x"


def hostile_folder(members: dict[str, bytes], marker: Path) -> None:
    members["data/weights/../../escaped"] = b"x"


def hostile_redirection(members: dict[str, bytes], marker: Path) -> None:
    name = "data/weights/model_weights_config.json"
    config = json.loads(members[name])
    next(iter(config["config"].values()))["path_name"] = "../../models/model.json"
    members[name] = json.dumps(config).encode()


# attack -> what the refusal must name, so that it is this guard that fired and not a neighbour
RUNS_CODE = {
    hostile_example: "pickle `data/sample_inputs/model.pt`",
    hostile_raw_pickle: "pickle `data/sample_inputs/model.pt`",
    hostile_weight: "pickle `data/weights/weight_0`",
    hostile_constant: "pickle `data/constants/tensor_9`",
    hostile_object: "holds `data/constants/opaque_obj_0`",
    hostile_expression: "is more than arithmetic on sizes",
    hostile_guard: "is more than arithmetic on sizes",
    hostile_name: "",
}
HOSTILE = {
    **RUNS_CODE,
    hostile_operator: "calls `torch.os.system`",
    hostile_python: "calls `torch.load`",
    hostile_node: "is not a name",
    hostile_library: "payload.so",
    hostile_path: "points outside the archive",
    hostile_folder: "points outside the archive",
    hostile_redirection: "",
}


@pytest.mark.parametrize("attack", HOSTILE, ids=lambda f: f.__name__)
def test_nothing_in_a_hostile_file_is_executed(
    attack: Callable[[dict[str, bytes], Path], None], good: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "executed"
    path = rewritten(good, tmp_path / "bad.pt2", lambda members: attack(members, marker))
    error = refused(path)
    assert not marker.exists()
    assert not (tmp_path.parent / "escaped").exists()
    assert "holds more than tensors and operators" in error.message
    assert HOSTILE[attack] in error.why
    assert "--trust" in error.hint


@pytest.mark.parametrize("attack", RUNS_CODE, ids=lambda f: f.__name__)
def test_the_payloads_are_live(
    attack: Callable[[dict[str, bytes], Path], None], good: Path, tmp_path: Path
) -> None:
    """With --trust the same file does run: else the tests above would prove nothing."""
    marker = tmp_path / "executed"
    path = rewritten(good, tmp_path / "bad.pt2", lambda members: attack(members, marker))
    with contextlib.suppress(ModelError):
        resolve(str(path), trust=True)
    assert marker.exists()


@pytest.mark.parametrize(
    "text",
    [
        "Symbol('s77', positive=True, integer=True)",
        "Mul(Integer(2), Pow(Symbol('s0', positive=True, integer=True), Integer(2)))",
        "Pow(Symbol('s0', integer=True), Integer(-1))",
        "FloorDiv(Symbol('s0', integer=True), Integer(2))",
        "Float('0.5', precision=53)",
        "s0**2",
        "int_oo",
    ],
)
def test_expressions_that_export_writes(text: str) -> None:
    assert strings.check_expression(text) == ""


ENDLESS = [
    "Pow(Integer(10), Integer(9999999999))",
    "Pow(16, e=Integer(9999999999))",
    "Pow(10, 9999999999, 1)",
    "Pow(Pow(Pow(10, 16), 16), 16)",
    "((10**16)**16)**16",
    "10 ^ 9999999999",
    "1 << 9999999999",
    "LShift(1, 9999999999)",
    "Rational('1e9999999999')",
    "Float('1.1', precision=9999999999)",
    "Float('1.1', 9999999999)",
    "1+" * 6000 + "1",
]


@pytest.mark.parametrize(
    "text",
    [
        "().__class__",
        "Symbol('x').__class__",
        "Symbol('__import__(\"os\")')",
        "exec('1')",
        "lambda: 1",
        "[x for x in (1,)]",
        "Symbol",
        "f'{1}'",
        "1 if 1 else 2",
        "",
        *ENDLESS,
    ],
)
def test_expressions_that_are_refused_or_are_just_a_name(text: str) -> None:
    assert bool(strings.check_expression(text)) == (text != "Symbol")


def test_guards() -> None:
    assert strings.check_guard("L['x'].size()[0] <= 8") == ""
    assert strings.check_guard("L['args'][0].size()[3] == L['args'][0].size()[2]") == ""
    for text in (
        "L['x'].__class__",
        "L['x'].numpy()",
        "L['x'].size(1)",
        "L(1)",
        "print()",
        "2**99",
    ):
        assert strings.check_guard(text), text


def test_operators() -> None:
    for text in ("torch.ops.aten.relu.default", "_operator.getitem", "torch.sym_max", "math.trunc"):
        assert strings.check_operator(text) == "", text
    for text in (
        "torch.ops.aten.from_file.default",  # reads a file by its name
        "torch.ops.aten.no_such.default",
        "torch.ops.other.relu.default",
        "torch.ops.load_library",
        "torch.ops.aten.relu.default.__call__",
        "torch.ops.aten.__class__.default",
        "_operator.methodcaller",
        "_operator.attrgetter",
        "builtins.eval",
    ):
        assert strings.check_operator(text), text


def test_trees() -> None:
    leaf = {"type": None, "context": None, "children_spec": []}
    nest = {"type": "builtins.dict", "context": '["map"]', "children_spec": [leaf]}
    assert strings.check_tree(json.dumps([1, nest])) == ""
    for bad in (
        [1, nest | {"type": "collections.namedtuple"}],
        [1, nest | {"type": "os.system"}],
        [1, nest | {"context": '["x"]"]'}],
        [1, nest | {"context": {"import": "os"}}],
        [1, {"type": "builtins.tuple", "context": "null", "children_spec": [{"type": "os.x"}]}],
        [2, nest],
    ):
        assert strings.check_tree(json.dumps(bad)), bad


class Dynamic(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (
            x.flatten(1),
            torch.cat([x, x], 2)[:, :, 1:],
            nn.functional.interpolate(x, scale_factor=2),
        )


def test_sizes_left_open_are_not_taken_for_an_attack(tmp_path: Path) -> None:
    batch, side = torch.export.Dim("batch", min=2, max=9), torch.export.Dim("side", min=4, max=64)
    x = torch.randn(4, 3, 8, 8)
    shapes = ({0: batch, 2: side, 3: side},)
    program = torch.export.export(Dynamic(), (x,), dynamic_shapes=shapes)
    torch.export.save(program, str(tmp_path / "net.pt2"))
    source = resolve(str(tmp_path / "net.pt2"))
    assert torch.equal(source.module(*source.inputs)[0], source.inputs[0].flatten(1))
    with pytest.raises(CaptureError, match="known only at run time"):
        capture(source)


@pytest.mark.parametrize(
    "program", [b"", b"[]", b"{", b"{}", b"null", b'{"graph_module": 3}', b"[" * 100_000]
)
@pytest.mark.parametrize("member", ["models/model.json", "data/weights/model_weights_config.json"])
def test_json_of_another_shape(good: Path, tmp_path: Path, member: str, program: bytes) -> None:
    path = rewritten(good, tmp_path / "odd.pt2", lambda members: members.update({member: program}))
    refused(path)


def test_a_nesting_too_deep_to_check(good: Path, tmp_path: Path) -> None:
    deep = b'{"config":' + b"[" * 900 + b"]" * 900 + b"}"
    name = "data/weights/model_weights_config.json"
    refused(rewritten(good, tmp_path / "deep.pt2", lambda members: members.update({name: deep})))


def test_a_member_that_is_missing_or_doubled(good: Path, tmp_path: Path) -> None:
    for gone in ("models/model.json", "data/weights/weight_0", "archive_format"):
        path = rewritten(good, tmp_path / "gone.pt2", lambda members, n=gone: members.pop(n))
        assert "is not an exported program" in refused(path).message
    shutil.copy(good, tmp_path / "twice.pt2")
    with (
        zipfile.ZipFile(tmp_path / "twice.pt2", "a") as archive,
        pytest.warns(UserWarning, match="Duplicate"),
    ):
        archive.writestr(archive.namelist()[0], b"{}")
    assert "same name" in refused(tmp_path / "twice.pt2").why


def test_options_that_a_program_has_no_use_for(good: Path) -> None:
    for options in ({"weights": "random"}, {"input_size": 16}, {"batch": 2}):
        with pytest.raises(UsageError):
            resolve(str(good), **options)


def test_a_compressed_member_may_be_a_bomb(good: Path, tmp_path: Path) -> None:
    shutil.copy(good, tmp_path / "bomb.pt2")
    with zipfile.ZipFile(tmp_path / "bomb.pt2", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(archive.namelist()[0].split("/")[0] + "/extra/zeros", bytes(10_000_000))
    assert "compressed" in refused(tmp_path / "bomb.pt2").why


def test_training_mode_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "train.pt2"
    torch.export.save(torch.export.export(Net().train(), (X,)), str(path))
    assert "training mode" in refused(path).message


def crashing(folder: Path) -> Path:
    """Offsets of rows, in a sparse matrix, that point far beyond its memory."""

    class Rows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("rows", torch.tensor([0, 2]))
            self.register_buffer("columns", torch.tensor([0, 1]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (
                x + torch.ops.aten._convert_indices_from_csr_to_coo(self.rows, self.columns).sum()
            )

    program = torch.export.export(Rows(), (torch.zeros(1, 1),))
    program.state_dict["rows"].copy_(torch.tensor([0, 10**12]))
    torch.export.save(program, str(folder / "crash.pt2"))
    return folder / "crash.pt2"


def test_a_program_that_crashes_torch_crashes_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pt2_file, "try_apart", pt2_trial.try_apart)
    error = refused(crashing(tmp_path))
    assert "SIGSEGV" in error.why
    assert error.where
    assert "--trust" in error.hint


@pytest.mark.parametrize("side", [200_000, 6_000], ids=["memory", "time"])
def test_a_program_that_takes_too_much_is_ended(
    side: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Large(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = x.expand(side, side) + 1
            for _ in range(200):
                y = y @ y
            return y.sum()

    monkeypatch.setattr(pt2_file, "try_apart", pt2_trial.try_apart)
    monkeypatch.setattr(pt2_trial, "_CPU_SECONDS", 8)
    torch.export.save(torch.export.export(Large(), (torch.zeros(1, 1),)), str(tmp_path / "l.pt2"))
    error = refused(tmp_path / "l.pt2")
    assert "allocate" in error.why or "s of computing" in error.why


def test_a_good_program_passes_the_trial(good: Path) -> None:
    pt2_trial.try_apart(good, 0)
