"""Backends, one folder each: the lowering, its list of rules and the check of the artifact."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.backends.api import (
        Backend,
        Estimate,
        Estimating,
        Expected,
        Lowering,
        Refining,
        backend_for,
        backend_of,
    )
    from edgevit.backends.artifact import Artifact
    from edgevit.backends.bisect import blamed_on_a_call
    from edgevit.backends.call_facts import BYTES, C_TYPES, JVM_ARRAYS, Facts, count, numbers
    from edgevit.backends.delegation import Delegation, Outside, require_all_inside
    from edgevit.backends.device_binary import DeviceBinary
    from edgevit.backends.execution import (
        EarlyExecutable,
        EarlyRun,
        Emulation,
        Executable,
        Execution,
        FirmwareMemory,
        OpenExecutable,
        execution_text,
    )
    from edgevit.backends.exported import exported_program
    from edgevit.backends.functions import (
        Functions,
        NotJoinedError,
        Part,
        bytes_of,
        functions_of,
        require_same_functions,
    )
    from edgevit.backends.judged import judged
    from edgevit.backends.on_host import (
        LIMITS,
        Run,
        check_on_host,
        fitted,
        program_parity,
        worker_for,
    )
    from edgevit.backends.own_rounding import (
        OwnRounding,
        float32_rounding,
        measured_limit,
        own_rounding,
    )
    from edgevit.backends.placement import Placement, require_engine
    from edgevit.backends.port_facts import PortFacts, Ports
    from edgevit.backends.room import constant_bytes, require_memory
    from edgevit.backends.run_here import run_here
    from edgevit.backends.session import REMOTE_MAIN, Arrays, OpTime, TensorSpec
    from edgevit.backends.snippet import Snippet
    from edgevit.backends.unsupported import READABLE, refuse_outputs
    from edgevit.backends.worker import TIMEOUT, Worker

__all__ = [
    "BYTES",
    "C_TYPES",
    "JVM_ARRAYS",
    "LIMITS",
    "READABLE",
    "REMOTE_MAIN",
    "TIMEOUT",
    "Arrays",
    "Artifact",
    "Backend",
    "Delegation",
    "DeviceBinary",
    "EarlyExecutable",
    "EarlyRun",
    "Emulation",
    "Estimate",
    "Estimating",
    "Executable",
    "Execution",
    "Expected",
    "Facts",
    "FirmwareMemory",
    "Functions",
    "Lowering",
    "NotJoinedError",
    "OpTime",
    "OpenExecutable",
    "Outside",
    "OwnRounding",
    "Part",
    "Placement",
    "PortFacts",
    "Ports",
    "Refining",
    "Run",
    "Snippet",
    "TensorSpec",
    "Worker",
    "backend_for",
    "backend_of",
    "blamed_on_a_call",
    "bytes_of",
    "check_on_host",
    "constant_bytes",
    "count",
    "execution_text",
    "exported_program",
    "fitted",
    "float32_rounding",
    "functions_of",
    "judged",
    "measured_limit",
    "numbers",
    "own_rounding",
    "program_parity",
    "refuse_outputs",
    "require_all_inside",
    "require_engine",
    "require_memory",
    "require_same_functions",
    "run_here",
    "worker_for",
]

lazy_face(
    __name__,
    {
        "api": (
            "Backend",
            "Estimate",
            "Estimating",
            "Expected",
            "Lowering",
            "Refining",
            "backend_for",
            "backend_of",
        ),
        "artifact": ("Artifact",),
        "bisect": ("blamed_on_a_call",),
        "call_facts": ("BYTES", "C_TYPES", "Facts", "JVM_ARRAYS", "count", "numbers"),
        "delegation": ("Delegation", "Outside", "require_all_inside"),
        "device_binary": ("DeviceBinary",),
        "execution": (
            "EarlyExecutable",
            "EarlyRun",
            "Emulation",
            "Executable",
            "Execution",
            "FirmwareMemory",
            "OpenExecutable",
            "execution_text",
        ),
        "exported": ("exported_program",),
        "functions": (
            "Functions",
            "NotJoinedError",
            "Part",
            "bytes_of",
            "functions_of",
            "require_same_functions",
        ),
        "judged": ("judged",),
        "on_host": ("LIMITS", "Run", "check_on_host", "fitted", "program_parity", "worker_for"),
        "own_rounding": (
            "OwnRounding",
            "float32_rounding",
            "measured_limit",
            "own_rounding",
        ),
        "placement": ("Placement", "require_engine"),
        "port_facts": ("PortFacts", "Ports"),
        "room": ("constant_bytes", "require_memory"),
        "run_here": ("run_here",),
        "session": ("Arrays", "OpTime", "REMOTE_MAIN", "TensorSpec"),
        "snippet": ("Snippet",),
        "unsupported": ("READABLE", "refuse_outputs"),
        "worker": ("TIMEOUT", "Worker"),
    },
)
