"""ONNX Runtime with Qualcomm's execution provider, for one process."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgevit.backends.session import load_library
from edgevit.errors import MissingToolError

PROVIDER = "QNNExecutionProvider"


def open_on_npu(model: bytes | Path, options: Mapping[str, str], config: Mapping[str, str]) -> Any:
    """Open a session in which the emulated NPU comes first. What it does not take runs on the CPU."""
    runtime, library = _registered()
    settings = runtime.SessionOptions()
    settings.log_severity_level = 4  # what matters is raised
    for key, value in config.items():
        settings.add_session_config_entry(key, value)
    devices = [device for device in runtime.get_ep_devices() if device.ep_name == PROVIDER]
    backend = {"backend_path": library.get_qnn_htp_path()}
    settings.add_provider_for_devices(devices, {**backend, **options})
    source = model if isinstance(model, bytes) else str(model)
    # Without `enable_fallback` a provider that does not start is an error, not the CPU's work.
    return runtime.InferenceSession(source, settings, enable_fallback=0)


def tool_versions() -> dict[str, str]:
    return {"onnxruntime-qnn": load_library("onnxruntime_qnn", "qnn").__version__}


@functools.cache
def _registered() -> tuple[Any, Any]:
    runtime = load_library("onnxruntime", "qnn")
    library = load_library("onnxruntime_qnn", "qnn")
    try:
        runtime.register_execution_provider_library(PROVIDER, library.get_library_path())
        library.get_qnn_htp_path()
    except Exception as error:  # its errors have no common base
        raise MissingToolError(
            "the compiler for the Snapdragon NPU does not load",
            why=str(error).strip().partition("\n")[0][:400],
            hint="pip install --force-reinstall onnxruntime-qnn (it is there for x86-64 Linux and Windows)",
        ) from error
    return runtime, library
