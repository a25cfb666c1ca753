"""Export options for the Snapdragon NPU."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.support.backend_options import BackendOptions, OptionsInfo, Word
from edgevit.support.shape import Flag


@dataclass(frozen=True)
class NpuOptions(BackendOptions):
    require_npu: bool = False


_WORDS = (
    Word(
        "require_npu",
        Flag(),
        help="Fail if the NPU's compiler leaves an op to the CPU.",
        shared=True,
    ),
)
OPTIONS = OptionsInfo(NpuOptions, _WORDS, heading="for the Snapdragon NPU")
