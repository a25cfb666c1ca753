"""What a format does not heed, or is not written in, is refused by name before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.backends.mcu.options import FirmwareOptions
from edgevit.cli.main import main
from edgevit.errors import TargetError, UsageError
from edgevit.export.api import export, inspect
from edgevit.support.backend_info import AUTO, BACKENDS, precisions
from edgevit.sweep.job import jobs_of
from edgevit.targets import Target, list_targets, load_target

TARGETS = list_targets()
PAIRS = [(target.name, format) for target in TARGETS for format in target.formats]
NEVER = "there-is-no-such-file.py:build"  # building it would be another error
FOR = {
    "coreml": "iphone",
    "coreai": "iphone-17",
    "mcu": "qemu-m4",
    "qnn": "galaxy-s25",
    "browser": "browser",
    "ethos-u": "ethos-u55-256",
}


@pytest.mark.parametrize(("target", "format"), PAIRS)
def test_a_precision_that_is_not_written_is_refused(
    target: str, format: str, tmp_path: Path
) -> None:
    aim = load_target(target)
    assert aim.precision(None, format) in BACKENDS[format].precisions
    for precision in set(precisions()) - {AUTO, *BACKENDS[format].precisions}:
        with pytest.raises(TargetError, match=precision) as caught:
            export(NEVER, target=target, format=format, precision=precision, output=tmp_path / "x")
        assert caught.value.where and caught.value.why and caught.value.hint
        with pytest.raises(TargetError, match=precision):
            export(
                NEVER, target=target, formats=[format], precision=precision, output=tmp_path / "x"
            )
        with pytest.raises(TargetError):
            jobs_of([NEVER], [target], [format], [precision], None, [], 1)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_what_is_listed_can_be_written(target: Target, capsys: pytest.CaptureFixture[str]) -> None:
    aim = target
    assert aim.offered
    assert main(["targets", aim.name]) == 0
    line = next(
        row for row in capsys.readouterr().out.splitlines() if row.startswith("  precision")
    )
    for precision in precisions():
        writes = [f for f in aim.formats if precision in aim.written(f)]
        if precision == AUTO:  # every format has it; it is of use where there is a choice
            writes = [f for f in aim.formats if len(aim.written(f)) > 1]
        assert (precision in line.replace(",", " ").split()) == bool(writes)


def test_a_sweep_leaves_out_what_one_format_cannot() -> None:
    jobs = jobs_of([NEVER], ["linux-x86"], ["onnx", "tflite"], ["fp32", "fp16"], None, [], 1)
    raspberry = jobs_of([NEVER], ["raspberry-pi-5"], ["onnx", "tflite"], ["fp16"], None, [], 1)
    assert ("onnx", "fp16") not in {(job.format, job.precision) for job in (*jobs, *raspberry)}


FIRMWARE = {
    "--calibrate": "pictures", "--observer": "min-max", "--residual": "int16", "--scheme": "i-vit",
    "--optimize": "ram", "--max-ram": "20K", "--weights-as": "binary",
}  # fmt: skip
CALIBRATION = {"--calibrate", "--calibrate-count", "--observer"}
VAIN = [
    *((format, [option, value], option) for format in BACKENDS if format != "mcu" for option, value in FIRMWARE.items()
      if option not in CALIBRATION or BACKENDS[format].precisions[0] not in BACKENDS[format].calibrates),
    *((format, ["--require-ane"], "--require-ane") for format in BACKENDS if not BACKENDS[format].engine),
    *((format, ["--labels", "labels.txt"], "--labels") for format in BACKENDS if not BACKENDS[format].holds_labels),
    *((format, ["--require-delegated"], "--require-delegated") for format in ("coreml", "coreai", "mcu")),
]  # fmt: skip


@pytest.mark.parametrize(("format", "words", "named"), VAIN, ids=lambda x: str(x))
def test_an_option_that_the_format_does_not_heed_is_refused_by_name(
    format: str,
    words: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labels.txt").write_text("a\nb\n")
    target = FOR.get(format, "linux-x86")
    assert main(["export", NEVER, "--target", target, "--format", format, *words]) == 2
    said = capsys.readouterr().err
    assert f"{named} does not apply to {format}" in said
    assert all(f"\n  {row:<6} " in said for row in ("where", "why", "try"))


def test_other_commands_refuse_what_they_do_not_heed() -> None:
    with pytest.raises(UsageError, match="--max-ram does not apply to no target"):
        inspect(NEVER, backend_options=FirmwareOptions(max_ram=1))
    assert main(["inspect", NEVER, "--residual", "int16"]) == 2
    assert main(["forecast", NEVER, "--target", "iphone", "--lossy", "gelu-tanh"]) == 2
