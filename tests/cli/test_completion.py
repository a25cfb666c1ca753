"""Words that a shell completes, commands to begin with, and the page in the browser."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

from edgevit.cli.examples import EXAMPLES
from edgevit.cli.main import _parser, main


def completed(script: str, words: str) -> list[str]:
    """Return what bash offers for the last of the words."""
    count = len(words.split(" "))
    ask = f"{script}\nCOMP_WORDS=({words}); [ {count} -gt ${{#COMP_WORDS[@]}} ] && COMP_WORDS+=('')\nCOMP_CWORD={count - 1}; _edgevit; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    return subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True).stdout.split()  # fmt: skip


def test_bash_completes_commands_options_and_values(capsys) -> None:
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert {"export", "report", "open", "completion"} <= {*completed(script, "edgevit ")}
    assert completed(script, "edgevit exp") == ["export"]
    assert "--precision" in completed(script, "edgevit export --")
    assert "iphone-12" in completed(script, "edgevit export --target iphone")
    assert completed(script, "edgevit export --format ethos") == ["ethos-u"]
    assert completed(script, "edgevit completion b") != ["export"]


def test_zsh_and_fish_get_scripts_of_their_own(capsys) -> None:
    assert main(["completion", "zsh"]) == 0
    assert "bashcompinit" in capsys.readouterr().out
    assert main(["completion", "fish", "--json"]) == 0
    script = json.loads(capsys.readouterr().out)["script"]
    assert "complete -c edgevit -n __fish_use_subcommand -f -a export -d 'Export a model" in script
    assert "-n '__fish_seen_subcommand_from export' -l target -x -a '" in script
    assert main(["completion", "csh"]) == 2


def test_examples_are_commands_that_parse(capsys) -> None:
    assert main(["examples"]) == 0
    said = capsys.readouterr().out
    for what, line in EXAMPLES:
        assert what in said and line in said
        for command in line.split("; "):
            assert _parser().parse_args(shlex.split(command)[1:]).run


def test_what_is_no_export_is_not_opened(tmp_path: Path, capsys) -> None:
    assert main(["open", str(tmp_path)]) == 12
    assert "edgevit export" in capsys.readouterr().err
