"""Add to the site what is generated: the reference of commands and of Python, llms.txt and SKILL.md.

A hook of MkDocs: it adds pages to a build, and writes nothing beside it.
"""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import edgevit
from edgevit.cli.main import _parser

GENERATED = ("reference/commands.md", "reference/python.md")
_HIDDEN = ("-h", "--help")
_SECTION = re.compile(r"^(Args|Returns|Raises|Example):$", re.M)


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages to a build."""
    from mkdocs.structure.files import File

    for name, text in zip(GENERATED, (commands_page(), python_page()), strict=True):
        files.append(File.generated(config, name, content=text))
    return files


def on_page_content(html: str, **_: Any) -> str:
    """Let the keyboard reach tables, which scroll by themselves."""
    return html.replace("<table>", '<table tabindex="0">')


def on_post_build(config: Any) -> None:
    """Write what agents read beside the pages."""
    site = Path(config["site_dir"])
    (site / "llms.txt").write_text(llms_text(config), encoding="utf-8")
    (site / "SKILL.md").write_text(skill_text(config), encoding="utf-8")


def commands_page() -> str:
    """Return a section for each command, with its options, from the parser."""
    parser = _parser()
    rows = ["# Commands", "", "Generated from the parser: what `edgevit COMMAND --help` says.", ""]
    for name, command in _commands(parser).items():
        command.complete()
        rows += [f"## edgevit {name}", "", command.description or "", ""]
        rows += ["| word | what it does |", "|---|---|"]
        rows += [
            f"| `{_word(action)}` | {_cell(action.help or '')} |" for action in _shown(command)
        ]
        rows.append("")
    return "\n".join(rows)


def python_page() -> str:
    """Return a section for each public name, from its signature and docstring."""
    rows = ["# Python", "", "Generated from the docstrings of what `edgevit` exports.", ""]
    for name in sorted(edgevit.__all__):
        value = getattr(edgevit, name)
        text = inspect.getdoc(value) if callable(value) else ""
        if text and not text.startswith(f"{name}("):
            rows += [f"## edgevit.{name}", "", *_blocks(text), ""]
    return "\n".join(rows)


def llms_text(config: Any) -> str:
    """Return the list of pages in the form of llms.txt: a title, a summary, links."""
    pages = list(_titles(config["nav"]))
    links = [
        f"- [{title}]({path.removesuffix('index.md').removesuffix('.md') or '.'}/)"
        for title, path in pages
    ]
    return "\n".join(
        [
            f"# {config['site_name']}",
            "",
            f"> {config['site_description']}",
            "",
            "## Pages",
            "",
            *links,
            "",
        ]
    )


def skill_text(config: Any) -> str:
    """Return AGENTS.md as a skill: with the head that agents choose by, and the list of commands."""
    facts = (Path(config["config_file_path"]).parent / "AGENTS.md").read_text(encoding="utf-8")
    advice = facts.partition("\n")[2].partition("\nTo change edgevit itself")[0].strip()
    commands = [
        f"- `edgevit {name}`: {command.description}"
        for name, command in _commands(_parser()).items()
    ]
    return "\n".join(
        [
            "---",
            "name: edgevit",
            "description: Use when a PyTorch vision model is to run on a phone, a Linux board, an NPU, "
            "in a browser or on a microcontroller, or when an export of it is to be checked, measured or explained.",
            "---",
            "",
            "# edgevit",
            "",
            advice,
            "",
            "## Commands",
            "",
            *commands,
            "",
        ]
    )


def _commands(parser: argparse.ArgumentParser) -> dict[str, Any]:
    return next(a.choices for a in parser._actions if isinstance(a, argparse._SubParsersAction))


def _shown(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    return (
        a
        for a in parser._actions
        if a.help != argparse.SUPPRESS and not set(a.option_strings) & set(_HIDDEN)
    )


def _word(action: argparse.Action) -> str:
    value = action.metavar or (action.dest if action.nargs != 0 else "")
    words = ", ".join(action.option_strings)
    return f"{words} {value}".strip() if action.nargs != 0 else words


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;").replace("%%", "%")


def _blocks(docstring: str) -> Iterator[str]:
    """Yield a docstring as text, with its sections as literal blocks under their titles."""
    head, *sections = _SECTION.split(docstring)
    yield head.strip().replace("<", "&lt;")
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        yield from (
            "",
            f"**{title}**",
            "",
            "```text",
            inspect.cleandoc("\n" + body.strip("\n")),
            "```",
        )


def _titles(entries: Any) -> Iterator[tuple[str, str]]:
    for entry in entries:
        if isinstance(entry, str):
            yield Path(entry).stem, entry
            continue
        for title, value in entry.items():
            if isinstance(value, str):
                yield title, value
            else:
                yield from _titles(value)
