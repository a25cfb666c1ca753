"""Memory of the board that a compiled net has to fit: SRAM for its values, flash for its file."""

from __future__ import annotations

from collections.abc import Callable

from edgevit.backends.ethos_u.npu import Npu
from edgevit.backends.ethos_u.options import EthosOptions
from edgevit.backends.ethos_u.vela import VelaReport
from edgevit.errors import MemoryLimitError
from edgevit.targets import Target

_FLASH = ("flash", "external-flash")


def sram_limit(target: Target, options: EthosOptions) -> int | None:
    """Return the bytes of SRAM that the NPU may use; None where the target does not say.

    All values lie in one region. The NPU does not reach memory that is coupled to the core.
    """
    if options.npu_sram is not None:
        return options.npu_sram
    return max((region.size for region in target.regions if region.kind == "sram"), default=None)


def compiled_to_fit(
    compile_net: Callable[[bool], VelaReport], npu: Npu, target: Target, limit: int | None
) -> VelaReport:
    """Compile for speed; where that does not fit, for size. Raises `MemoryLimitError` beyond."""
    report = compile_net(False)
    if limit is None or report.memory["sram"] <= limit:
        return report
    smaller = compile_net(True)
    needed = smaller.memory["sram"]
    if needed <= limit:
        return smaller
    raise MemoryLimitError(
        f"the net needs {needed:,} bytes of SRAM, {needed - limit:,} more than the {limit:,} that the NPU has",
        where=f"{target.title}, {npu.name}",
        why=f"Vela plans {report.memory['sram']:,} bytes for speed, {needed:,} for size",
        hint="a smaller --input-size, or a larger --npu-sram where the board has it",
    )


def require_flash(size: int, target: Target) -> None:
    """Refuse a file that no region for constants holds."""
    there = max((region.size for region in target.regions if region.kind in _FLASH), default=None)
    if there is None or size <= there:
        return
    raise MemoryLimitError(
        f"the compiled file has {size:,} bytes, {size - there:,} more than the largest flash",
        where=target.title,
        why=f"its largest region for constants has {there:,} bytes",
        hint="a smaller model of the family, or a target with more flash",
    )
