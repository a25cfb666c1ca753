"""Exports in processes of their own, whose answers are kept: an interrupted run goes on where it stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def exported(
    net: str,
    words: Sequence[str],
    cache: Path,
    fresh: bool,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return what `edgevit export --json` says of a net with random weights, now or in an earlier run.

    The export itself lies in `cache`, below the net's name.
    """
    name = net.partition(":")[2]
    path = cache / f"{name}.json"
    if path.exists() and not fresh:
        return json.loads(path.read_text())
    print(net, file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "edgevit", "export", net, "--weights", "random", *words]
    done = subprocess.run(
        [*command, "--quiet", "--json", "-o", str(cache / name)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    try:
        export = json.loads(done.stdout)
    except ValueError:
        export = {"message": done.stderr[-500:]}
    path.write_text(json.dumps(export))
    return export
