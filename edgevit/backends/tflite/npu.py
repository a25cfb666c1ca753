"""A .tflite compiled for a Snapdragon's NPU by LiteRT's compiler, beside the one that runs anywhere.

LiteRT brings the plugin, and the user Qualcomm's SDK: nothing here runs what comes out.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from edgevit.backends.session import load_library
from edgevit.errors import BackendRuntimeError, MissingToolError, TargetError
from edgevit.targets import Target

SDK_ROOT = "QNN_SDK_ROOT"
_LIBRARIES = "lib/x86_64-linux-clang"
_NEEDED = ("libQnnHtp.so", "libQnnSystem.so", "libQnnIr.so", "libQnnSaver.so", "libQnnLpai.so")
_PACKAGE = "ai_edge_litert_sdk_qualcomm"
_PART = re.compile(r"\bSM\d{4}\b")
_SHARES = re.compile(
    r"Partitioned subgraph<\d+>, selected (\d+) ops, from a total of (\d+) ops\. resulted in (\d+) partitions"
)
_ERROR = re.compile(r"Could not load shared library \S+?: (.+)|ERROR: .*?\] ?(.+)")
_SECONDS = 3600.0


@dataclass(frozen=True)
class NpuFile:
    path: Path
    soc: str
    inside: int  # ops
    ops: int
    pieces: int

    def as_dict(self) -> dict[str, object]:
        return {
            "file": self.path.name,
            "soc": self.soc,
            "ops_inside": self.inside,
            "ops": self.ops,
            "delegates": self.pieces,
            "checked": False,
        }

    @property
    def note(self) -> str:
        return (
            f"{self.path.name} is the same net for the NPU of {self.soc}, which takes {self.inside} of {self.ops} ops "
            f"in {self.pieces} piece{'s' * (self.pieces != 1)}; compiled, and run nowhere here"
        )


def require_npu_compiler(target: Target) -> tuple[str, Path]:
    """Return the part number of the target's chip and the SDK's libraries, before anything is converted."""
    match = _PART.search(target.soc or "")
    if match is None:
        raise TargetError(
            f"{target.title} has no Snapdragon that LiteRT compiles for",
            where="--litert-npu",
            why=f"its soc is {target.soc or 'not stated'}",
            hint="--target galaxy-s25, or an export without --litert-npu",
        )
    return match[0], _sdk_libraries()


def _sdk_libraries() -> Path:
    root, package = os.environ.get(SDK_ROOT), importlib.util.find_spec(_PACKAGE)
    if root:
        place = Path(root) / _LIBRARIES
    elif package is not None:
        place = Path(importlib.import_module(_PACKAGE).path_to_sdk_libs())
    else:
        raise MissingToolError(
            "LiteRT's compiler for the Snapdragon NPU needs Qualcomm's SDK",
            where="--litert-npu",
            why=f"{SDK_ROOT} is not set, and {_PACKAGE.replace('_', '-')} is not installed",
            hint=f"get the Qualcomm AI Engine Direct SDK, and set {SDK_ROOT} to its folder",
        )
    lacking = [name for name in _NEEDED if not (place / name).is_file()]
    if lacking:
        raise MissingToolError(
            "this is not the whole of Qualcomm's SDK",
            where=str(place),
            why=f"it has no {', '.join(lacking)}",
            hint=f"{SDK_ROOT} is the folder that has {_LIBRARIES} in it",
        )
    return place


def compile_for_npu(path: Path, soc: str, libraries: Path) -> NpuFile:
    """Write `NAME_SM8750.tflite`. Raises `BackendRuntimeError` if the compiler fails."""
    litert = Path(load_library("ai_edge_litert", "tflite").__file__ or "").parent
    result = path.with_name(f"{path.stem}_{soc}.tflite")
    words = [
        str(litert / "tools" / "apply_plugin_main"),
        "--cmd=apply",
        f"--model={path}",
        f"--o={result}",
        "--soc_manufacturer=Qualcomm",
        f"--soc_model={soc}",
        "--err=--",
        f"--libs={litert / 'vendors/qualcomm/compiler'}",
    ]
    places = [str(libraries), str(litert), os.environ.get("LD_LIBRARY_PATH", "")]
    environment = os.environ | {"LD_LIBRARY_PATH": os.pathsep.join(filter(None, places))}
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(path, soc, str(error)) from error
    log = done.stdout + done.stderr
    shares = [tuple(map(int, share)) for share in _SHARES.findall(log)]
    if done.returncode or not shares or not result.stat().st_size:
        result.unlink(missing_ok=True)
        raise _failed(path, soc, _last_error(log) or f"it ended with {done.returncode}")
    inside, ops, pieces = (sum(share[k] for share in shares) for k in range(3))
    return NpuFile(result, soc, inside, ops, pieces)


def _last_error(log: str) -> str:
    errors = [next(filter(None, match.groups())) for match in _ERROR.finditer(log)]
    return errors[-1].strip()[:400] if errors else ""


def _failed(path: Path, soc: str, why: str) -> BackendRuntimeError:
    return BackendRuntimeError(
        f"LiteRT's compiler does not compile {path.name} for {soc}",
        where="--litert-npu",
        why=why,
        hint="--format qnn compiles for the same NPU without the SDK; or an export without --litert-npu",
    )
