"""Options of backends: from and to the command line, by format, and refused where they are not one's own."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import pytest

from edgevit.backends.mcu.options import OPTIONS, FirmwareOptions
from edgevit.errors import PluginError, UsageError
from edgevit.support.backend_options import (
    BackendOptions,
    OptionsInfo,
    Word,
    by_format,
    options_info,
    shared_flags,
)
from edgevit.support.choice import Choice
from edgevit.support.option_values import count
from edgevit.support.shape import Flag, Text, WholeNumber


@dataclass(frozen=True)
class Bricks(BackendOptions):
    studs: int = 4
    name: str = ""
    hollow: bool = False
    rows: int = 1


INFO = OptionsInfo(
    Bricks,
    (
        Word("studs", WholeNumber(1, 8), "N", "studs a row", count),
        Word("name", Text(), "T", "of the brick"),
        Word("hollow", Flag(), help="with room inside"),
        Word("rows", WholeNumber(1, 8), parse=int),
    ),
    choices=(Choice("rows", ("1", "2"), "1", "two are steadier"),),
)


def parsed(words: list[str]) -> Bricks:
    parser = argparse.ArgumentParser()
    INFO.add_words(parser, "lego")
    return INFO.from_words(parser.parse_args(words), "lego")


@pytest.mark.parametrize(
    "options", [Bricks(), Bricks(studs=2, hollow=True), Bricks(name="-a b"), Bricks(name="x=1")]
)
def test_words_come_back_as_the_options(options: Bricks) -> None:
    assert parsed(INFO.to_words(options)) == options
    assert INFO.from_table(INFO.changed(options)) == options


def test_a_field_without_a_word_is_set_by_a_choice() -> None:
    two = INFO.with_choices(Bricks(studs=2), {"rows": "2"})
    assert two == Bricks(studs=2, rows=2)
    assert INFO.to_words(two) == ["--studs", "2"]
    assert INFO.to_choices(two) == {"rows": "2"}
    assert INFO.with_choices(two, {"rows": "1"}) == two


def test_a_word_of_another_is_not_taken_twice() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--studs")
    with pytest.raises(PluginError, match="the option `--studs` is taken") as caught:
        INFO.add_words(parser, "lego")
    assert caught.value.where == "options of the backend lego"


def test_a_shared_word_is_an_option_of_each_of_its_backends() -> None:
    parser = argparse.ArgumentParser()
    infos = {format: options_info(format) for format in ("qnn", "ethos-u")}
    for format, info in infos.items():
        assert info is not None and "--require-npu" in shared_flags(format)
        info.add_words(parser, format)
    words = parser.parse_args(["--require-npu"])
    for format, info in infos.items():
        assert info is not None and info.flags(info.from_words(words, format)) == ["--require-npu"]


def test_the_type_names_the_backend() -> None:
    options = FirmwareOptions(max_ram=1)
    assert by_format(options) == by_format({"mcu": options}) == {"mcu": options}
    assert by_format(None) == by_format(OPTIONS.default) == {}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Bricks(), "Bricks is no backend's options"),
        ({"onnx": FirmwareOptions()}, "FirmwareOptions is not of the backend onnx"),
        ({"mcu": Bricks()}, "Bricks is not of the backend mcu"),
    ],
)
def test_options_of_no_backend_are_refused(options: object, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        by_format(options)  # type: ignore[arg-type]
    assert caught.value.why
    assert "FirmwareOptions" in caught.value.hint + caught.value.why
