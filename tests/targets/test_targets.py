"""Target files: the shipped ones are right, and every mistake in one is named."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevit.errors import InternalError, TargetError
from edgevit.support.resources import data_dir
from edgevit.targets import Target, as_dict, describe, list_targets, load_target, table
from edgevit.targets.schema import FACTS, NAMING, merge
from edgevit.targets.target import CODE_MEMORY, DATA_RAM
from tests import ROOT

KIB = 1024
SHIPPED = list_targets()
BY_NAME = {target.name: target for target in SHIPPED}

BOARD = """
name = "board"
title = "A board"
aliases = ["plank"]
formats = ["mcu"]
precisions = ["int8"]
soc = "A chip"

[[cpu]]
name = "Cortex-M4"
cores = 1
isa = "armv7e-m+dsp+fp"
clock_hz = 100_000_000

[npu]
name = "An engine"
cores = 2
tops = 1

[[region]]
name = "FLASH"
kind = "flash"
base = 0x0800_0000
size = "512 KiB"

[[region]]
name = "SRAM"
kind = "sram"
base = 0x2000_0000
size = "128 KiB"

[source]
soc = "soc sheet"
cpu = "cpu sheet"
npu = "npu sheet"
region = "region sheet"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "targets" / "mcu").mkdir(parents=True)
    return tmp_path / "targets"


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / "mcu" / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def failure(folder: Path) -> str:
    with pytest.raises(TargetError) as caught:
        list_targets(folder)
    return str(caught.value)


def edited(old: str, new: str) -> str:
    assert BOARD.count(old) == 1, f"the edit of {old!r} has to hit once"
    return BOARD.replace(old, new)


# The shipped files


def test_the_devices_we_promise_are_there() -> None:
    phones = [f"iphone-{n}" for n in (12, 13, 14, 15, 16)]
    phones += ["iphone-14-pro", "iphone-15-pro", "iphone-16-pro", "pixel-6"]
    phones += ["pixel-8", "pixel-9", "pixel-10", "iphone-17", "iphone-17-pro", "iphone-air"]
    phones += ["galaxy-s22", "galaxy-s23", "galaxy-s24", "galaxy-s25", "galaxy-a54", "xiaomi-15"]
    phones += [f"snapdragon-8-{n}" for n in ("gen-2", "gen-3", "elite", "elite-gen-5")]
    phones += ["snapdragon-x-elite", "qcs6490"]
    boards = ["raspberry-pi-4", "raspberry-pi-5", "linux-x86", "stm32f746", "stm32f407"]
    boards += ["stm32h743", "nrf52840", "rp2040", "rp2350", "corstone-300", "alif-ensemble-e7"]
    boards += ["esp32-c3", "qemu-m3", "qemu-m4", "qemu-m7", "qemu-m55", "qemu-riscv32"]
    assert set(phones + boards) <= set(BY_NAME)


def test_every_file_is_a_target_or_a_base_of_one() -> None:
    bases = {target.extends for target in SHIPPED}
    for path in data_dir("targets").rglob("*.toml"):
        assert path.stem in BY_NAME or path.stem in bases, path


@pytest.mark.parametrize("target", SHIPPED, ids=lambda target: target.name)
def test_a_shipped_target_loads_by_name_or_alias_and_shows_all_it_knows(target: Target) -> None:
    word = target.aliases[-1] if target.aliases else target.name
    assert load_target(word) == target
    text = describe(target)
    for unit in target.compute:
        assert unit.name in text
    for region in target.regions:
        assert f"{region.base:#010x}" in text
    for _, document in target.sources:
        assert document in text
    assert json.loads(json.dumps(as_dict(target)))["sources"] == dict(target.sources)


@pytest.mark.parametrize("target", SHIPPED, ids=lambda target: target.name)
def test_a_shipped_target_has_a_source_for_what_it_states(target: Target) -> None:
    stated = {unit.kind for unit in target.compute}
    stated |= {fact for fact in ("soc", "os", "emulator") if getattr(target, fact)}
    stated |= {"region"} if target.regions else set()
    stated |= {"memory"} if target.memory_bytes else set()
    assert stated == {fact for fact, _ in target.sources}


@pytest.mark.parametrize(
    ("name", "ram", "flash", "mhz", "isa"),
    [  # the headline figures of each data sheet
        ("stm32f746", 320 * KIB, 1024 * KIB, 216, "armv7e-m+dsp+fp"),
        ("stm32f407", 192 * KIB, 1024 * KIB, 168, "armv7e-m+dsp+fp"),
        ("stm32h743", 992 * KIB, 2048 * KIB, 480, "armv7e-m+dsp+fp.dp"),
        ("nrf52840", 256 * KIB, 1024 * KIB, 64, "armv7e-m+dsp+fp"),
        ("rp2040", 264 * KIB, 2048 * KIB, 133, "armv6-m"),
        ("rp2350", 520 * KIB, 4096 * KIB, 150, "armv8-m.main+dsp+fp"),
        ("esp32-c3", 384 * KIB, 4096 * KIB, 160, "rv32imc"),
        ("alif-ensemble-e7", 7680 * KIB, 5632 * KIB, 400, "armv8.1-m.main+dsp+fp.dp+mve"),
    ],
)
def test_headline_figures(name: str, ram: int, flash: int, mhz: int, isa: str) -> None:
    target = load_target(name)
    assert (target.ram_bytes, target.flash_bytes) == (ram, flash)
    assert (target.clock_hz, target.isa) == (mhz * 1_000_000, isa)


@pytest.mark.parametrize(
    ("target", "region", "base", "kib"),
    [
        ("corstone-300", "ITCM", 0, 512),
        ("corstone-300", "SRAM", 0x0100_0000, 2048),
        ("corstone-300", "DTCM", 0x2000_0000, 512),
        ("stm32f746", "DTCM", 0x2000_0000, 64),
        ("stm32f746", "SRAM1", 0x2001_0000, 240),
        ("stm32f746", "SRAM2", 0x2004_C000, 16),
        ("stm32f407", "CCM", 0x1000_0000, 64),
        ("stm32h743", "AXI", 0x2400_0000, 512),
    ],
)
def test_regions(target: str, region: str, base: int, kib: int) -> None:
    found = load_target(target).region(region)
    assert (found.base, found.size, found.end) == (base, kib * KIB, base + kib * KIB)


def test_regions_come_by_address_however_they_are_written(folder: Path) -> None:
    put(folder, "board", edited("base = 0x2000_0000", "base = 0x0700_0000"))
    (board,) = list_targets(folder)
    assert [region.name for region in board.regions] == ["SRAM", "FLASH"]


def test_microcontrollers_have_what_a_linker_script_needs() -> None:
    for target in SHIPPED:
        if target.backend == "mcu":
            kinds = {region.kind for region in target.regions}
            assert kinds & set(DATA_RAM), target.name
            assert kinds & set(CODE_MEMORY), target.name
            assert target.precision() == "int8"


def test_emulated_targets_say_how_to_run_them_and_claim_no_clock() -> None:
    emulated = [target for target in SHIPPED if target.family == "emulated"]
    assert len(emulated) == 7
    for target in emulated:
        assert target.emulator is not None
        assert target.clock_hz is None
    assert load_target("qemu-m55").regions == load_target("corstone-300").regions


@pytest.mark.parametrize(("alias", "name"), [("iphone", "iphone-12"), ("android", "pixel-6")])
def test_a_family_alias_is_the_member_whose_results_run_on_all_others(
    alias: str, name: str
) -> None:
    floor = load_target(alias)
    assert floor.name == name
    assert floor.os is not None
    for target in SHIPPED:
        if target.family != floor.family:
            continue
        assert target.os is not None
        assert target.os.version >= floor.os.version
        for mine in floor.compute:
            for theirs in target.compute:
                if mine.kind == theirs.kind == "cpu":
                    assert set(mine.features) <= set(theirs.features), target.name


OLDEST_IOS = {"iphone-16": "18.0", "iphone-17": "26.0", "iphone-air": "26.0"}


def test_iphones() -> None:
    phones = [target for target in SHIPPED if target.family == "apple"]
    for phone in phones:
        assert (phone.backend, phone.precision(), phone.ram_bytes) == ("coreml", "fp16", None)
        oldest = OLDEST_IOS.get(phone.name.removesuffix("-pro"), "17.0")
        assert phone.os is not None
        assert (phone.os.name, phone.os.minimum) == ("iOS", oldest)
    published = {unit.tops for phone in phones for unit in phone.compute if unit.kind == "npu"}
    assert published == {11.0, 15.8, 17.0, 35.0, None}


# Choosing a format and a precision


def test_a_target_answers_with_its_default_or_what_was_asked_for() -> None:
    android = load_target("android")
    assert android.format() == android.backend == "executorch"
    assert android.format("tflite") == "tflite"
    assert android.precision() == "fp32"
    assert android.precision("fp16") == "fp16"
    assert android.precision(None, "onnx") == "fp32"


@pytest.mark.parametrize(
    ("asked", "pieces"),
    [
        (
            "tflite",
            ["`iphone-12` does not take the format `tflite`", "it takes coreml", "--format coreml"],
        ),
        ("coremll", ["no format is called `coremll`", "did you mean `coreml`"]),
    ],
)
def test_a_format_that_is_not_taken(asked: str, pieces: list[str]) -> None:
    with pytest.raises(TargetError) as caught:
        load_target("iphone").format(asked)
    for piece in pieces:
        assert piece in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "pieces"),
    [
        ("fp32", ["`rp2040` does not take the precision `fp32`", "it takes int8"]),
        ("int-8", ["no precision is called `int-8`", "did you mean `int8`?"]),
    ],
)
def test_a_precision_that_is_not_taken(asked: str, pieces: list[str]) -> None:
    with pytest.raises(TargetError) as caught:
        load_target("pico").precision(asked)
    for piece in pieces:
        assert piece in str(caught.value)


def test_an_unknown_region_names_the_known_ones() -> None:
    with pytest.raises(TargetError, match="no memory region `DTCN`") as caught:
        load_target("stm32f746").region("DTCN")
    assert "`DTCM`" in caught.value.hint


# Finding a target


@pytest.mark.parametrize(
    ("asked", "hint"),
    [("iphone12", "`iphone-12`"), ("QEMU-M7", "`qemu-m7`"), ("zzzzzz", "`edgevit targets`")],
)
def test_an_unknown_name_gets_the_nearest_ones(asked: str, hint: str) -> None:
    with pytest.raises(TargetError) as caught:
        load_target(asked)
    assert f"no target is called `{asked}`" in str(caught.value)
    assert hint in caught.value.hint
    assert caught.value.exit_code == 7


def test_a_base_is_no_target_and_is_not_suggested() -> None:
    with pytest.raises(TargetError) as caught:
        load_target("iphone-base")
    assert "is no device" in str(caught.value)
    assert "`iphone-1" in caught.value.hint
    with pytest.raises(TargetError) as caught:
        load_target("iphone-bas")
    assert "iphone-base" not in caught.value.hint


def test_a_file_of_your_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.toml").write_text(BOARD, encoding="utf-8")
    (tmp_path / "noname").write_text(BOARD, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    target = load_target("mine.toml")
    assert (target.name, target.family) == ("board", "")
    assert target == load_target(Path("mine.toml"))
    assert load_target("./noname").name == "board"


def test_a_file_of_your_own_may_extend_a_target_that_extends(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(
        'name = "mine"\ntitle = "Mine"\nextends = "iphone-15"\n'
        '[os]\nminimum = "18.0"\n[source]\nos = "my app"\n'
    )
    target = load_target(str(mine))
    parent = load_target("iphone-15")
    assert target.os is not None
    assert (target.os.name, target.os.minimum) == ("iOS", "18.0")
    assert (target.compute, target.formats) == (parent.compute, parent.formats)
    assert (target.aliases, target.extends) == ((), "iphone-15")
    assert dict(target.sources)["cpu"] == dict(parent.sources)["cpu"]


def test_a_file_of_your_own_may_not_take_a_shipped_name(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(edited('"plank"', '"iphone"'))
    with pytest.raises(TargetError, match="the name `iphone` is taken") as caught:
        load_target(str(mine))
    assert "apple/iphone-12.toml" in caught.value.why


def test_a_file_that_is_not_there_or_not_readable(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(TargetError, match="cannot read the target file") as caught:
            load_target(str(path) + ("" if path.suffix else "/"))
        assert str(path) in caught.value.where
    (tmp_path / "latin.toml").write_bytes(b'name = "caf\xe9"')
    with pytest.raises(TargetError, match="not a TOML file") as caught:
        load_target(str(tmp_path / "latin.toml"))
    assert "byte 11 is not UTF-8" in caught.value.why


def test_lost_target_files_are_our_bug(tmp_path: Path) -> None:
    with pytest.raises(InternalError):
        list_targets(tmp_path / "nowhere")


# One mistake at a time


def test_the_board_without_a_mistake(folder: Path) -> None:
    put(folder, "board", BOARD)
    (board,) = list_targets(folder)
    assert (board.family, board.aliases, board.soc) == ("mcu", ("plank",), "A chip")
    assert (board.ram_bytes, board.flash_bytes) == (128 * KIB, 512 * KIB)
    assert board.compute[1].tops == 1.0
    assert [region.name for region in board.regions] == ["FLASH", "SRAM"]


MISTAKES: dict[str, tuple[str, str, list[str]]] = {
    "unknown key": ("formats =", "formatz =", ["unknown key `formatz`", "`formats`?"]),
    "unknown key in a table": ("tops = 1", "top = 1", ["unknown key `top`", "board.toml  npu.top"]),
    "unknown key in a list": ("cores = 1", "core = 1", ["unknown key `core`", "cpu[0].core"]),
    "unknown source": ('soc = "soc', 'sock = "soc', ["unknown key `sock`", "source.sock", "`soc`"]),
    "missing key": ('title = "A board"', "", ["`title` is missing", "title", "add `title = ...`"]),
    "missing name": ('name = "board"', "", ["`name` is missing"]),
    "missing in a list": ("base = 0x2000_0000", "", ["`base` is missing", "region[1].base"]),
    "missing size": ('size = "128 KiB"', "", ["`size` is missing", "region[1].size"]),
    "not text": ('title = "A board"', "title = 3", ["`title` is a whole number", "text in quotes"]),
    "empty text": ('title = "A board"', 'title = ""', ["`title` is empty"]),
    "not a number": ("clock_hz = 100_000_000", 'clock_hz = "fast"', ["`clock_hz` is text in"]),
    "true as a number": ("cores = 1", "cores = true", ["`cores` is true or false", "whole number"]),
    "zero": ("cores = 1", "cores = 0", ["`cores` is 0", "above zero"]),
    "negative tops": ("tops = 1", "tops = -1", ["`tops` is -1", "above zero"]),
    "endless tops": ("tops = 1", "tops = inf", ["inf is no number"]),
    "not a list": ('["mcu"]', '"mcu"', ["`formats` is text", "it is a list"]),
    "not a table": (
        '[npu]\nname = "An engine"\ncores = 2\ntops = 1',
        '[[npu]]\nname = "An engine"',
        ["`npu` is a list", "`npu` is a table"],
    ),
    "one table": ("[[cpu]]", "[cpu]", ["`cpu` is a table", "write [[cpu]]"]),
    "bad name": ('"board"', '"Board!"', ["`Board!` cannot be a name", "lower-case"]),
    "bad alias": ('"plank"', '"a b"', ["`a b` cannot be a name", "aliases"]),
    "alias of itself": ('"plank"', '"board"', ["`board` is an alias of itself"]),
    "alias twice": ('["plank"]', '["plank", "plank"]', ["`aliases` names `plank` twice"]),
    "alias not text": ('["plank"]', "[3]", ["`aliases` holds a whole number"]),
    "other file name": ('name = "board"', 'name = "bord"', ["name and file name differ"]),
    "unknown format": ('["mcu"]', '["mcuu"]', ["`formats` has no `mcuu`", "did you mean `mcu`?"]),
    "no format": ('["mcu"]', "[]", ["`formats` is empty"]),
    "format twice": ('["mcu"]', '["mcu", "mcu"]', ["`formats` names `mcu` twice"]),
    "unknown precision": ('["int8"]', '["int9"]', ["`precisions` has no `int9`", "`int8`?"]),
    "no precision": ('precisions = ["int8"]', "", ["`precisions` is missing"]),
    "unknown isa": ("armv7e-m+", "armv7em+", ["`armv7em` is no instruction set", "`armv7e-m`"]),
    "unknown feature": ("+dsp+fp", "+dps+fp", ["`dps` is no instruction set", "`dsp`"]),
    "unknown region kind": ('kind = "sram"', 'kind = "sran"', ["`kind` has no `sran`", "`sram`?"]),
    "no unit": ('"128 KiB"', '"128"', ["`size` is '128'", "B, KiB, MiB, GiB"]),
    "size as number": ('"128 KiB"', "131072", ["`size` is 131072", "size is text"]),
    "size zero": ('"128 KiB"', '"0 KiB"', ["`size` is '0 KiB'"]),
    "past 32 bits": ("0x2000_0000", "0xfffe_0001", ["region `SRAM`", "32 bits"]),
    "negative base": ("0x2000_0000", "-1", ["region `SRAM`", "32 bits"]),
    "overlap": (
        "base = 0x2000_0000",
        "base = 0x0807_ffff",
        ["regions `FLASH` and `SRAM` overlap", "region[1]", "FLASH: 0x08000000 up to 0x08080000"],
    ),
    "same region name": ('"SRAM"', '"FLASH"', ["two regions are called `FLASH`", "region[1]"]),
    "memory and regions": (
        "[source]",
        '[memory]\nram = "1 MiB"\n[source]\nmemory = "m"',
        ["both `memory` and `region`", "sum of its regions"],
    ),
    "no source": ('npu = "npu sheet"', "", ["`npu` has no source", 'add `npu = "..."` to']),
    "empty source": ('"npu sheet"', '""', ["`npu` is empty", "source.npu"]),
    "source without fact": ('soc = "A chip"', "", ["a source without a fact", "source.soc"]),
    "unknown os": (
        "[source]",
        '[os]\nname = "IOS"\n[source]\nos = "o"',
        ["`name` has no `IOS`", "os.name", "`iOS`"],
    ),
    "bad version": (
        "[source]",
        '[os]\nname = "iOS"\nminimum = "iOS17"\n[source]\nos = "o"',
        ["`minimum` is `iOS17`", '"17.0"'],
    ),
    "coreml without a version": (
        '["mcu"]',
        '["mcu", "coreml"]',
        ["`os.minimum` is missing for the format `coreml`", "Core ML operators"],
    ),
    "mcu without data": ('kind = "sram"', 'kind = "external-ram"', ["a region for data", "sram"]),
    "mcu without code": ('kind = "flash"', 'kind = "ccm"', ["a region for code", "flash"]),
    "unknown base": ("formats =", 'extends = "baord"\nformats =', ["no such target", "`board`"]),
    "extends itself": ("formats =", 'extends = "board"\nformats =', ["`board` extends itself"]),
    "not toml": ("title =", "title", ["this is not a TOML file", "board.toml:3", "Expected '='"]),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_place(mistake: str, folder: Path) -> None:
    old, new, pieces = MISTAKES[mistake]
    put(folder, "board", edited(old, new))
    message = failure(folder)
    assert "where  targets/mcu/board.toml" in message
    for piece in pieces:
        assert piece in message


def test_mcu_without_a_cpu(folder: Path) -> None:
    head, rest = BOARD.split("[[cpu]]")
    text = (head + rest[rest.index("[npu]") :]).replace('cpu = "cpu sheet"\n', "")
    put(folder, "board", text)
    assert "`cpu` is missing for the format `mcu`" in failure(folder)


def test_touching_regions_do_not_overlap(folder: Path) -> None:
    put(folder, "board", edited("base = 0x2000_0000", "base = 0x0808_0000"))
    (board,) = list_targets(folder)
    assert board.regions[0].end == board.regions[1].base


@pytest.mark.parametrize("taken", ['aliases = ["board"]', 'aliases = ["plank"]'])
def test_a_name_is_taken_once(taken: str, folder: Path) -> None:
    put(folder, "board", BOARD)
    put(folder, "other", edited('"board"', '"other"').replace('aliases = ["plank"]', taken))
    message = failure(folder)
    assert "is taken" in message
    assert "targets/mcu/board.toml has it" in message


def test_two_files_of_one_name_in_two_folders(folder: Path) -> None:
    put(folder, "board", BOARD)
    (folder / "other").mkdir()
    (folder / "other" / "board.toml").write_text(BOARD)
    assert "the name `board` is taken" in failure(folder)


# What is inherited


def heir(body: str, name: str = "heir", extends: str = "board") -> str:
    return f'name = "{name}"\ntitle = "An heir"\nextends = "{extends}"\n{body}'


def test_tables_merge_and_keep_both_sources(folder: Path) -> None:
    put(folder, "board", BOARD)
    put(folder, "heir", heir('[npu]\ntops = 2\n[source]\nnpu = "own sheet"'))
    target = load_target("heir", folder)
    assert [(u.kind, u.name, u.tops) for u in target.compute][1] == ("npu", "An engine", 2.0)
    assert target.compute[1].cores == 2
    assert dict(target.sources)["npu"] == "own sheet; npu sheet"
    assert dict(target.sources)["cpu"] == "cpu sheet"


def test_lists_are_replaced_with_their_source(folder: Path) -> None:
    put(folder, "board", BOARD)
    cpu = '[[cpu]]\nname = "Cortex-M7"\nisa = "armv7e-m"\n[source]\ncpu = "own sheet"'
    put(folder, "heir", heir(cpu))
    target = load_target("heir", folder)
    assert [u.name for u in target.compute if u.kind == "cpu"] == ["Cortex-M7"]
    assert target.clock_hz is None
    assert dict(target.sources)["cpu"] == "own sheet"
    assert (target.title, target.aliases, target.formats) == ("An heir", (), ("mcu",))


def test_an_override_needs_its_own_source(folder: Path) -> None:
    put(folder, "board", BOARD)
    put(folder, "heir", heir("[npu]\ntops = 2"))
    message = failure(folder)
    assert "`npu` has no source" in message
    assert "targets/mcu/heir.toml" in message


def test_a_mistake_in_an_inherited_value_points_at_the_base(folder: Path) -> None:
    put(folder, "zbase", edited('"board"', '"zbase"').replace("+dsp+fp", "+dps"))
    put(folder, "heir", heir("", extends="zbase"))
    assert "targets/mcu/zbase.toml  cpu[0].isa" in failure(folder)


def test_a_target_extends_once(folder: Path) -> None:
    put(folder, "board", BOARD)
    put(folder, "heir", heir(""))
    put(folder, "last", heir("", name="last", extends="heir"))
    message = failure(folder)
    assert "`last` extends `heir`, which extends `board`" in message
    assert "try    extend `board`" in message


def test_targets_that_extend_each_other(folder: Path) -> None:
    put(folder, "left", heir("", name="left", extends="right"))
    put(folder, "right", heir("", name="right", extends="left"))
    assert "`left` and `right` extend each other" in failure(folder)


def test_a_base_is_not_listed(folder: Path) -> None:
    put(folder, "board", "base = true\n" + BOARD)
    put(folder, "heir", heir(""))
    assert [target.name for target in list_targets(folder)] == ["heir"]


WORDS = st.text("abc", min_size=1, max_size=3)
LISTS = st.lists(WORDS, min_size=1, max_size=2)
TABLES = st.dictionaries(st.sampled_from(["name", "cores", "tops"]), WORDS, min_size=1)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "name": WORDS,
        "title": WORDS,
        "aliases": LISTS,
        "formats": LISTS,
        "soc": WORDS,
        "cpu": st.lists(TABLES, min_size=1, max_size=2),
        "gpu": TABLES,
        "npu": TABLES,
    },
)


def with_sources(document: dict[str, Any], label: str) -> dict[str, Any]:
    return {**document, "source": {fact: label for fact in FACTS if fact in document}}


def still_there(theirs: Any, mine: Any) -> bool:
    """Whether a key of the table `theirs` is left when `mine` is merged over it."""
    return isinstance(mine, dict) and any(key not in mine for key in theirs)


@settings(deadline=None)
@given(DOCUMENTS, DOCUMENTS)
def test_merge(base: dict[str, Any], own: dict[str, Any]) -> None:
    merged = merge(with_sources(base, "theirs"), with_sources(own, "mine"))
    for key in base.keys() | own.keys():
        if key in NAMING:
            assert merged.get(key) == own.get(key)
            continue
        mine: Any = own.get(key)
        theirs: Any = base.get(key)
        if key in ("gpu", "npu") and mine and theirs:
            assert merged[key] == theirs | mine
        else:
            assert merged[key] == (theirs if mine is None else mine)
        if key in FACTS:
            # A source is named if, and only if, a value of its file is still there.
            named = set(merged["source"][key].split("; "))
            assert ("mine" in named) == (mine is not None)
            assert ("theirs" in named) == (
                theirs is not None and (mine is None or still_there(theirs, mine))
            )


# Showing


def test_table_has_one_line_a_target() -> None:
    head, *lines = table(SHIPPED).splitlines()
    assert head.split()[0] == "target"
    assert len(lines) == len(SHIPPED)
    (line,) = [line for line in lines if line.startswith("stm32f746 ")]
    for piece in ("stm32f746g-disco", "mcu", "int8", "320 KiB", "Cortex-M7"):
        assert piece in line


def test_description_of_a_board() -> None:
    text = describe(load_target("qemu-m4"))
    assert "qemu-system-arm -M mps2-an386 -cpu cortex-m4" in text
    assert "RAM    sram            0x20000000  0x203fffff  4 MiB" in text
    assert "armv7e-m+dsp+fp" in text
    phone = describe(load_target("android"))
    assert "executorch (default), tflite, onnx" in phone
    assert "Android 12 or later" in phone
    assert "2 x Cortex-X1" in phone


def test_targets_are_quick_and_import_nothing_heavy() -> None:
    code = """
import sys, time
before = time.process_time()
from edgevit.targets import list_targets, table
table(list_targets())
heavy = {"torch", "numpy", "timm", "coremltools"} & set(sys.modules)
print(heavy or "light", time.process_time() - before)
"""
    command = [sys.executable, "-c", code]
    runs = [
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(3)
    ]
    assert {weight for weight, _ in runs} == {"light"}
    assert min(float(seconds) for _, seconds in runs) < 0.3  # CPU time of `edgevit targets` in all


def test_the_examples_of_the_guide_are_targets(tmp_path: Path) -> None:
    guide = ROOT / "docs" / "adding-a-target.md"
    examples = re.findall(r"```toml\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        (tmp_path / "mine.toml").write_text(example, encoding="utf-8")
        assert describe(load_target(tmp_path / "mine.toml"))
