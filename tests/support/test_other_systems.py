"""Commands on a system without POSIX: what Windows' Python lacks is taken away from this one's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT

# For every process: `site` imports it at the start.
LACKS = """
import os, select, sys
for name in ("fork", "getuid", "geteuid", "sched_getaffinity", "getloadavg", "killpg", "setsid"):
    if hasattr(os, name):
        delattr(os, name)
del select.poll
for name in ("fcntl", "resource", "termios", "pwd", "grp"):
    sys.modules[name] = None
"""


@pytest.mark.slow
def test_export_verify_and_profile(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "sitecustomize.py").write_text(LACKS)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
        "EDGEVIT_STORE": str(tmp_path / "store.sqlite"),
    }
    net, words = str(tmp_path / "net"), ["--target", "linux-x86", "--format", "onnx", "--quiet"]
    for command in (
        ["export", "zoo:vit-i16-p8-d16-h1-l1", *words, "-o", net],
        ["verify", net],
        ["profile", net, "--rounds", "1", "--quiet"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "edgevit", *command],
            capture_output=True, text=True, check=False, env=environment, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, f"{command[0]}: {done.stderr[-2000:]}"
