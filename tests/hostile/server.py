"""Runs `edgevit` commands, each in a forked process with limits. Libraries are imported once, before the forks.

One request a line on stdin, one answer a line on stdout, both JSON.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

CPU_SECONDS = 60
ADDRESS_SPACE = 16 << 30  # libraries reserve far more than they touch; what is touched is asserted


def main() -> None:
    _import_what_commands_import()
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), flush=True)


def _import_what_commands_import() -> None:
    """Import it once: two thirds of a command's time in a fork that had to do it itself."""
    import PIL.Image

    import edgevit.cli.main

    for module in pkgutil.walk_packages(edgevit.__path__, "edgevit."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    PIL.Image.init()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        code = edgevit.cli.main.main(["inspect", "zoo:vit-i16-p8-d16-h1-l1"])
    assert code == 0
    importlib.import_module("transformers.modeling_utils")  # all models of a hub stand on it
    gc.freeze()  # a fork that collects does not touch, and so copy, what was imported


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    output = Path(request["output"])
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _run(request, output)
    status, usage = _wait(child, started + 2 * CPU_SECONDS)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "cpu": usage.ru_utime + usage.ru_stime,
        "megabytes": usage.ru_maxrss / 1024,
        "out": (output / "out").read_text(errors="surrogateescape"),
        "err": (output / "err").read_text(errors="surrogateescape"),
    }


def _wait(child: int, deadline: float) -> tuple[int, resource.struct_rusage]:
    while time.monotonic() < deadline:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            return status, usage
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    return os.wait4(child, 0)[1:]


def _run(request: dict[str, Any], output: Path) -> None:
    code = 99
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        os.environ |= request["environment"]
        os.chdir(request["directory"])
        for name, number in (("out", 1), ("err", 2)):
            os.dup2(os.open(output / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.argv = ["edgevit", *request["words"]]
        code = sys.modules["edgevit.cli.main"].main(request["words"])
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
