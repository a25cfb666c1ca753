"""argparse parser that raises our errors and adds a command's arguments when the command is used."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from edgevit.errors import UsageError


class Parser(argparse.ArgumentParser):
    """argparse parser that raises `UsageError` instead of exiting."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._pending: list[Callable[[argparse.ArgumentParser], None]] = []

    def when_used(self, add: Callable[[argparse.ArgumentParser], None]) -> None:
        """Call `add` before the first parse: `edgevit --help` need not load what it imports."""
        self._pending.append(add)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # type: ignore[override]
        while self._pending:
            self._pending.pop(0)(self)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        option = message.removeprefix("argument ").partition(":")[0]
        raise UsageError(
            message,
            where=f"{self.prog} {option}" if message.startswith("argument ") else self.prog,
            why="the command does not accept it in this form",
            hint=f"{self.prog} --help",
        )
