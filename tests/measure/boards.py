"""An ssh server as a client sees it."""

from __future__ import annotations

import getpass
import sys
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Board:
    """An ssh server on loopback, and a client's configuration that knows it."""

    port: int
    folder: Path
    work: Path  # where artifacts are pushed to
    config: Path
    python: str = sys.executable

    @property
    def address(self) -> str:
        who = f"{getpass.getuser()}@127.0.0.1:{self.port}"
        return f"ssh://{who}?python={self.python}&dir={self.work}&config={self.config}"

    def configured(self, name: str, **changes: Path) -> Board:
        """The same server, for a client with other files."""
        files = {"known_hosts": self.folder / "known_hosts", "key": self.folder / "key", **changes}
        config = self.folder / name
        config.write_text(
            f"IdentityFile {files['key']}\nIdentitiesOnly yes\nIdentityAgent none\n"
            f"UserKnownHostsFile {files['known_hosts']}\nGlobalKnownHostsFile /dev/null\n"
        )
        return replace(self, config=config)
