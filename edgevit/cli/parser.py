"""argparse parser that raises our errors and adds a command's arguments when the command is used."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from edgevit.cli.other_options import unknown_command, unknown_options
from edgevit.errors import UsageError

# what a missing word is, and how to find one
_MISSING = {
    "MODEL": "a model, such as timm:shvit_s1 or net.py:build",
    "--target": "--target T: iphone, android, raspberry-pi, qemu-m4; `edgevit targets` lists them",
    "DIR": "the folder that `edgevit export` wrote",
    "--data": "--data FOLDER, with a folder of pictures a class",
}


class Parser(argparse.ArgumentParser):
    """argparse parser that raises `UsageError` instead of exiting."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, allow_abbrev=False, **keywords)
        self._pending: list[Callable[[argparse.ArgumentParser], None]] = []

    def when_used(self, add: Callable[[argparse.ArgumentParser], None]) -> None:
        """Call `add` before the first parse: `edgevit --help` need not load what it imports."""
        self._pending.append(add)

    def complete(self) -> None:
        """Add the arguments that were put off until the command is used."""
        while self._pending:
            self._pending.pop(0)(self)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # type: ignore[override]
        self.complete()
        options, extras = super().parse_known_args(args, namespace)
        if extras:
            raise unknown_options(extras, self)
        return options, extras

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if isinstance(action, argparse._SubParsersAction) and value not in action.choices:
            raise unknown_command(str(value), list(action.choices))
        super()._check_value(action, value)

    def error(self, message: str) -> NoReturn:
        option = message.removeprefix("argument ").partition(":")[0]
        missing = message.partition("arguments are required: ")[2].split(", ")
        raise UsageError(
            message,
            where=f"{self.prog} {option}" if message.startswith("argument ") else self.prog,
            why="the command does not accept it in this form",
            hint="\n".join(_MISSING[name] for name in missing if name in _MISSING)
            or f"{self.prog} --help",
        )
