"""Export options for an Ethos-U."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.backends.delegation import REQUIRE_NPU
from edgevit.support import option_values as values
from edgevit.support.backend_options import BackendOptions, OptionsInfo, Word
from edgevit.support.shape import Text, WholeNumber

_NAME = "[A-Za-z0-9_]{1,100}"


@dataclass(frozen=True)
class EthosOptions(BackendOptions):
    require_npu: bool = False
    npu_sram: int | None = None  # bytes
    npu_system: str = ""  # of Vela's configuration file
    npu_memory: str = ""


_WORDS = (
    REQUIRE_NPU,
    Word(
        "npu_sram",
        WholeNumber(1, 1 << 32),
        "N",
        "SRAM that the NPU may use, such as 384K [default: the board's].",
        values.memory,
    ),
    Word(
        "npu_system",
        Text(pattern=_NAME, rule="a name of Vela's configuration file"),
        "S",
        "System configuration of Vela's file [default: by the NPU].",
    ),
    Word(
        "npu_memory",
        Text(pattern=_NAME, rule="a name of Vela's configuration file"),
        "M",
        "Memory mode of Vela's file [default: Shared_Sram].",
    ),
)
OPTIONS = OptionsInfo(EthosOptions, _WORDS, heading="for the Ethos-U")
