"""Export options for TFLite."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.support.backend_options import BackendOptions, OptionsInfo, Word
from edgevit.support.shape import Flag


@dataclass(frozen=True)
class TFLiteOptions(BackendOptions):
    litert_npu: bool = False


OPTIONS = OptionsInfo(
    TFLiteOptions,
    (
        Word(
            "litert_npu",
            Flag(),
            help="Write the file compiled by LiteRT for the target's Snapdragon NPU too; QNN_SDK_ROOT names your SDK.",
        ),
    ),
    heading="for TFLite",
)
