"""`edgevit completion SHELL`: a script for bash, zsh or fish, made from the parser."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from edgevit.support.terminal import show

SHELLS = ("bash", "zsh", "fish")
_USE = {
    "bash": 'eval "$(edgevit completion bash)"     in ~/.bashrc',
    "zsh": 'eval "$(edgevit completion zsh)"      in ~/.zshrc, after compinit',
    "fish": "edgevit completion fish | source       in ~/.config/fish/config.fish",
}


@dataclass(frozen=True)
class CommandWords:
    """What may follow a command: its options, and the values of those that take one of a list."""

    help: str
    options: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def add_completion(
    command: Callable[[str, Callable[..., int], str], argparse.ArgumentParser],
    parser: argparse.ArgumentParser,
) -> None:
    own = command("completion", run_completion, "Print a script that completes words in a shell.")
    own.add_argument(
        "shell",
        choices=SHELLS,
        metavar="SHELL",
        help=f"Shell that reads the script: {', '.join(SHELLS)}.",
    )
    own.set_defaults(parser=parser)


def run_completion(options: argparse.Namespace) -> int:
    words = command_words(options.parser)
    make = fish_script if options.shell == "fish" else bash_script
    script = make(words)
    if options.shell == "zsh":
        script = f"autoload -U +X bashcompinit && bashcompinit\n{script}"
    script = f"# {_USE[options.shell]}\n{script}"
    show(json.dumps({"shell": options.shell, "script": script}) if options.json else script, end="")
    return 0


def command_words(parser: argparse.ArgumentParser) -> dict[str, CommandWords]:
    verbs = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    helps = {choice.dest: choice.help or "" for choice in verbs._choices_actions}
    return {name: _words(command, helps[name]) for name, command in verbs.choices.items()}


def _words(command: argparse.ArgumentParser, text: str) -> CommandWords:
    from edgevit.cli.parser import Parser
    from edgevit.support.backend_info import BACKENDS
    from edgevit.targets import list_targets

    assert isinstance(command, Parser)
    command.complete()
    actions = [a for a in command._actions if a.help != argparse.SUPPRESS]
    lists = {"--target": tuple(t.name for t in list_targets()), "--format": tuple(BACKENDS)}
    values: dict[str, tuple[str, ...]] = {}
    for action in actions:
        for option in action.option_strings:
            choices = tuple(map(str, action.choices or ())) or lists.get(option, ())
            if choices:
                values[option] = choices
    return CommandWords(text, tuple(o for a in actions for o in a.option_strings), values)


def bash_script(commands: Mapping[str, CommandWords]) -> str:
    """Return a function that offers commands, options, values of an option, and else files."""
    cases = [
        f'    "{name} {option}") words="{" ".join(choices)}" ;;'
        for name, command in commands.items()
        for option, choices in command.values.items()
    ]
    options = [
        f'    {name}) words="{" ".join(command.options)}" ;;' for name, command in commands.items()
    ]
    return "\n".join(
        [
            "_edgevit() {",
            '  local current="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" words=""',
            "  if [ \"$COMP_CWORD\" -eq 1 ]; then",
            f'    COMPREPLY=($(compgen -W "{" ".join(commands)} --help --version" -- "$current"))',
            "    return",
            "  fi",
            '  case "${COMP_WORDS[1]} $before" in',
            *cases,
            "  esac",
            '  [ -n "$words" ] || case "$current" in -*) case "${COMP_WORDS[1]}" in',
            *options,
            "  esac ;; esac",
            '  if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$current"))',
            '  else COMPREPLY=($(compgen -f -- "$current")); fi',
            "}",
            "complete -o filenames -F _edgevit edgevit",
            "",
        ]
    )  # fmt: skip


def fish_script(commands: Mapping[str, CommandWords]) -> str:
    rows = [
        f"complete -c edgevit -n __fish_use_subcommand -f -a {name} -d {_quoted(command.help)}"
        for name, command in commands.items()
    ]
    for name, command in commands.items():
        at = f"complete -c edgevit -n '__fish_seen_subcommand_from {name}'"
        rows += [
            f"{at} {_fish(option, command.values.get(option, ()))}" for option in command.options
        ]
    return "\n".join([*rows, ""])


def _fish(option: str, choices: Iterable[str]) -> str:
    word = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
    listed = " ".join(choices)
    return f"{word} -x -a {_quoted(listed)}" if listed else word


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
