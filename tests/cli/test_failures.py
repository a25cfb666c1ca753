"""What a command says where its own installation is incomplete."""

from __future__ import annotations

import subprocess
import sys

WITHOUT_TORCH = (
    "import sys; sys.modules['torch'] = None; from edgevit.cli.main import main; "
    "sys.exit(main(['inspect', 'zoo:kws', '--quiet']))"
)


def test_a_dependency_that_is_not_installed_is_no_bug_of_ours() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, check=False
    )
    assert done.returncode == 10, done.stderr
    assert "torch is not installed" in done.stderr
    assert all(f"\n  {label:<6} " in done.stderr for label in ("where", "why", "try"))
