"""Export options for the Snapdragon NPU."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.backends.delegation import REQUIRE_NPU
from edgevit.support.backend_options import BackendOptions, OptionsInfo


@dataclass(frozen=True)
class NpuOptions(BackendOptions):
    require_npu: bool = False


OPTIONS = OptionsInfo(NpuOptions, (REQUIRE_NPU,), heading="for the Snapdragon NPU")
