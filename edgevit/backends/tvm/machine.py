"""Machine of a target, in the terms of LLVM and of the linker."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from typing import Any

from edgevit.backends.tvm.tool import tvm
from edgevit.errors import TargetError
from edgevit.targets import Target

# ISA -> architecture as LLVM, zig and `platform.machine` call it
_ARCHITECTURES = {"aarch64": "aarch64", "x86-64": "x86_64"}
# feature of a target's ISA -> LLVM's
_FEATURES = {
    "avx2": ("avx2", "fma"),
    "dotprod": ("dotprod",),
    "fp16": ("fullfp16",),
    "i8mm": ("i8mm",),
}
_OLDEST_GLIBC = (
    "2.31"  # of Debian 11, Ubuntu 20.04: what is linked against it runs on those and later
)


@dataclass(frozen=True)
class Machine:
    architecture: str
    cpu: str | None  # a name LLVM knows
    features: tuple[str, ...]
    cores: int

    @property
    def triple(self) -> str:
        return f"{self.architecture}-unknown-linux-gnu"

    @property
    def linker_target(self) -> str:
        return f"{self.architecture}-linux-gnu.{_OLDEST_GLIBC}"

    @property
    def is_host(self) -> bool:
        return platform.system() == "Linux" and platform.machine() == self.architecture

    def llvm(self) -> Any:
        """Return the machine as a target of TVM."""
        options: dict[str, Any] = {
            "kind": "llvm",
            "mtriple": self.triple,
            "num-cores": self.cores,
            "mattr": [f"+{feature}" for feature in self.features],
        }
        if self.cpu is not None:
            options["mcpu"] = self.cpu
        return tvm("target").Target(options)


def machine_of(target: Target) -> Machine:
    base = (target.isa or "").partition("+")[0]
    cpu = target.cpu
    if target.os is None or target.os.name != "Linux" or base not in _ARCHITECTURES or cpu is None:
        raise TargetError(
            f"edgevit does not compile TVM libraries for {target.title}",
            where=target.name,
            why="it links for Linux on " + " and ".join(_ARCHITECTURES),
            hint="--format " + next((f for f in target.formats if f != "tvm"), "onnx"),
        )
    architecture = _ARCHITECTURES[base]
    return Machine(
        architecture,
        _known_cpu(cpu.name.lower(), architecture),
        tuple(f for name in cpu.features for f in _FEATURES.get(name, ())),
        cpu.cores or os.cpu_count() or 1,
    )


def this_machine(like: Machine) -> Machine:
    """Return this machine, to compile what can be run here.

    It has no feature that some machine of this kind may lack.
    """
    cores = os.cpu_count() or 1
    return Machine(platform.machine(), None, like.features if like.is_host else (), cores)


def _known_cpu(name: str, architecture: str) -> str | None:
    codegen = tvm("target").codegen
    plain = tvm("target").Target({"kind": "llvm", "mtriple": f"{architecture}-unknown-linux-gnu"})
    return name if name in {str(cpu) for cpu in codegen.llvm_get_cpu_archlist(plain)} else None
