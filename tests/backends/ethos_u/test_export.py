"""An exported folder for an Ethos-U, as a user has it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevit.backends.ethos_u.command_stream import golden_of, read_compiled
from edgevit.backends.ethos_u.npu import Npu
from edgevit.backends.ethos_u.session import open_session
from edgevit.backends.ethos_u.vela import compile_for
from edgevit.budgets import Budgets, check
from edgevit.cli.main import main
from edgevit.errors import BackendRuntimeError, PackageError
from edgevit.export.api import export
from edgevit.exported.golden import load_golden
from edgevit.exported.verify import verify
from edgevit.quantize import CalibrationOptions
from edgevit.support.backend_info import host_formats

pytest.importorskip("ethosu.vela", reason="pip install 'edgevit[ethos-u]'")


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def manifest_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "edgevit.json").read_text())


def compiled_file(folder: Path) -> Path:
    return folder / manifest_of(folder)["artifact"]


def test_the_npu_takes_every_op(folder: Path) -> None:
    part = manifest_of(folder)["delegation"]
    assert (part["delegates"], part["ops_outside"], part["outside"]) == (1, 0, [])
    assert part["ops_inside"] > 20
    compiled = read_compiled(compiled_file(folder))
    assert compiled.streams == ("Ethos-U55-128",) and not compiled.rest


def test_the_npu_takes_the_place_of_the_largest_channel(source: Path) -> None:
    net = f"{source}/net.py:places"
    how = CalibrationOptions(calibrate="generated")
    result = export(net, target="ethos-u55-128", output=source / "places", calibration=how)
    assert result.passed and result.manifest["delegation"]["outside"] == []


def test_whole_numbers_enter_as_the_file_takes_them(source: Path) -> None:
    """TFLite's places are int32, PyTorch's int64; the self-test holds what the board is given."""
    how = CalibrationOptions(calibrate="generated")
    output = source / "named"
    result = export(
        f"{source}/net.py:named", target="ethos-u55-128", output=output, calibration=how
    )
    assert result.passed
    golden = (output / "call" / "golden.cpp").read_text()
    assert "const int32_t edgevit_golden_input_1[1] = {\n    7,\n};" in golden


def test_what_vela_predicts_is_marked_so(folder: Path) -> None:
    manifest = manifest_of(folder)
    predicted = manifest["predicted"]
    assert predicted["by"] == f"Vela {manifest['versions']['ethos-u-vela']}"
    assert predicted["cycles"] > 0 and predicted["ram_bytes"] > 0
    assert predicted["inferences_per_second"] == predicted["clock_hz"] / predicted["cycles"]
    assert predicted["traffic_bytes"]["off_chip_flash"] > 0
    assert sum(layer["cycles"] for layer in predicted["layers"]) > 0
    assert any("net.py:" in layer["where"] for layer in predicted["layers"])
    assert manifest["npu"]["memory_mode"] == "Shared_Sram"


def test_budgets_of_ram_flash_and_cycles(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predicted = manifest_of(folder)["predicted"]
    size = compiled_file(folder).stat().st_size
    limits = {"ram_bytes": predicted["ram_bytes"], "cycles": predicted["cycles"]}
    kept = check(folder, Budgets(**limits, flash_bytes=size, size_bytes=size))
    assert kept.passed
    kinds = {finding.budget: finding.source.kind for finding in kept.findings}
    assert kinds["cycles"] == kinds["ram_bytes"] == "predicted" and kinds["flash_bytes"] == "exact"
    assert not check(folder, Budgets(ram_bytes=limits["ram_bytes"] - 1)).passed
    assert main(["check", str(folder), "--max-cycles", str(predicted["cycles"] - 1)]) == 19
    assert "predicted: by Vela" in capsys.readouterr().out
    assert not check(folder, Budgets(instructions=1)).passed  # unknown


def test_it_takes_and_returns_integers(folder: Path) -> None:
    (image,), (logits,) = manifest_of(folder)["ports"].values()
    assert image["dtype"] == logits["dtype"] == "int8" and image["scale"] > 0
    assert image["shape"] == [1, 3, 16, 16]


def test_the_reference_kernels_run_the_golden_model(folder: Path) -> None:
    inputs, outputs = load_golden(folder)
    session = open_session(compiled_file(folder), 1)
    (result,) = session.run([inputs[0].numpy()])
    assert result.dtype == np.float32 and session.op_times([], 1) == ()
    assert np.abs(result - outputs[0].numpy()).max() < 0.1
    assert "ethos-u" not in host_formats()  # its times are no device's
    verify(folder)


def test_calling_code_names_what_the_file_needs(folder: Path) -> None:
    code, readme = ((folder / "call" / name).read_text() for name in ("call.cpp", "README.md"))
    assert "MicroMutableOpResolver<1>" in code and "ops.AddEthosU();" in code
    assert "ethos-u55-128" in readme
    rows = (folder / "call" / "model.cpp").read_text().split("{\n")[1].split("\n}")[0]
    assert (
        bytes(map(int, rows.replace("\n", "").strip(" ,").split(",")))
        == compiled_file(folder).read_bytes()
    )


def test_the_same_file_compiles_to_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    npu = Npu("U55", 128, "Ethos_U55_High_End_Embedded", "Shared_Sram")
    compile_for(golden_of(compiled_file(folder)), npu, None, tmp_path / "again", small=False)
    assert (tmp_path / "again").read_bytes() == compiled_file(folder).read_bytes()


@pytest.mark.parametrize("place", [0, 12, 30])
def test_a_damaged_command_stream_is_told(copied: Path, place: int) -> None:
    path = compiled_file(copied)
    whole = bytearray(path.read_bytes())
    stream = whole.index(b"COP1")
    whole[stream + place] ^= 0x55
    path.write_bytes(whole)
    if place != 12:  # a word that says nothing to us is found by its hash
        with pytest.raises(PackageError, match="no sound file of Vela's"):
            open_session(path, 1)
    with pytest.raises(PackageError, match="not what was exported"):
        verify(copied)


def test_a_file_cut_short_is_told(copied: Path) -> None:
    path = compiled_file(copied)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(PackageError) as caught:
        open_session(path, 1)
    assert caught.value.why and caught.value.hint


def test_a_compiled_file_needs_its_golden_model(copied: Path) -> None:
    path = compiled_file(copied)
    golden = golden_of(path)
    with pytest.raises(PackageError, match="is no compiled file"):
        open_session(Path(shutil.copy(path, copied / "other.tflite")), 1)
    golden.unlink()
    with pytest.raises(PackageError, match=f"no {golden.name}"):
        open_session(path, 1)


def test_what_stays_on_the_cpu_is_told_with_its_line(source: Path) -> None:
    net = f"{source}/net.py:floors"
    how = CalibrationOptions(calibrate="generated")
    result = export(net, target="ethos-u85-256", output=source / "floors", calibration=how)
    part = result.manifest["delegation"]
    floor = next(one for one in part["outside"] if one["op"] == "FLOOR")
    assert "net.py:" in floor["where"] and part["ops_outside"] >= 1
    code = (source / "floors" / "call" / "call.cpp").read_text()
    assert "ops.AddFloor();" in code and "ops.AddEthosU();" in code


def test_vela_on_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(b"no flatbuffer at all")
    npu = Npu("U55", 128, "Ethos_U55_High_End_Embedded", "Shared_Sram")
    with pytest.raises(BackendRuntimeError) as caught:
        compile_for(tmp_path / "net.tflite", npu, None, tmp_path / "out", small=False)
    assert caught.value.why and caught.value.hint
