"""Literals give back the very text in every language; comments and words end nothing. Checked by the tools themselves where they are here."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.support.quoting import (
    c_string,
    cmake_word,
    comment,
    java_string,
    kotlin_string,
    make_word,
    markdown,
    markdown_code,
    python_string,
    swift_string,
    word,
)
from tests.support.lexer import lexed

ANY = st.text(st.characters(codec="utf-8"), max_size=30)
# What ends, starts, escapes or means something somewhere, in any order.
MEAN = st.lists(
    st.sampled_from(
        ['"', "'", '"""', "\\", "\n", "\r", "\0", "\x1b", "*/", "/*", "//", "#", "$", "$(", "${x}",
         "\\(", "??/", "??", "\\u000a", "\\u0022", "u", "`", "|", "<b>", "]]>", "#[[", "]]", "\u2028",
         "\u202e", "@RUN@", ";", ")", "é", "\U0001f600", " ", "a", "0", "%n", "&amp;"]
    ),
    max_size=12,
).map("".join)  # fmt: skip
TEXTS = ANY | MEAN
NASTY = [
    '"); system("touch CANARY"); ("',
    "x\n$(shell touch CANARY)",
    "x\\",
    "*/ int evil; /*",
    "x\r\n\t@touch CANARY",
    "`touch CANARY`",
    "$(touch CANARY)",
    "'; touch CANARY; '",
    '")\nexecute_process(COMMAND touch CANARY)\nset(x "',
    "??/\n*/ int evil; /*",
    '"""\nopen("CANARY", "w")\n"""',
    "#[[ ]] \n]]",
    "\u202e\u2066é\U0001f600",
]


@given(TEXTS)
def test_literals_are_one_literal(text: str) -> None:
    spelt = {"c": c_string, "cpp": c_string, "swift": swift_string, "kt": kotlin_string, "java": java_string}  # fmt: skip
    for language, quoted in spelt.items():
        found = lexed(f"a({quoted(text)});", language)
        assert found.code == 'a("");', language
        assert quoted(text).isascii() and quoted(text).isprintable()


@given(TEXTS)
def test_literals_say_the_text(text: str) -> None:
    assert ast.literal_eval(python_string(text)) == text
    octal = re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), c_string(text)[1:-1].encode())
    assert octal.decode() == text
    kotlin = re.sub(r"(?:\\u[0-9a-f]{4})+", _units, kotlin_string(text)[1:-1])
    assert kotlin == text
    java = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), java_string(text)[1:-1])
    assert re.sub(r"(?:\\u[0-9a-f]{4})+", _units, java) == text or "\\" in text
    swift = re.sub(r"\\u\{([0-9a-f]+)\}", lambda m: chr(int(m[1], 16)), swift_string(text)[1:-1])
    assert swift == text


def _units(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("\\u", "")).decode("utf-16-be")


@given(TEXTS)
def test_a_comment_stays_one(text: str) -> None:
    line = comment(text)
    assert line.isprintable()
    for language in ("c", "cpp", "swift", "kt", "java"):
        assert lexed(f"/* {line} */x", language).code.strip() == "x", language
        assert lexed(f"// {line}\nx", language).code.strip() == "x", language
    assert ast.dump(ast.parse(f'"""{line} \n"""\nx'))
    assert len(ast.parse(f'"""{line} \n"""\nx').body) == 2


@given(TEXTS)
def test_words_and_markdown_stay_on_their_line(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9 _.,:()+-]*", word(text))
    for line in (markdown(text), markdown_code(text)):
        assert line.isprintable()
        assert not re.search(r"(?<!\\)(?:\\\\)*[|<]", markdown(text))
    assert markdown_code(text).count("`") == 2


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"apt-get install {name}")
    return path


def test_the_compiler_reads_what_was_written(tmp_path: Path) -> None:
    rows = ",\n".join(c_string(text) for text in NASTY)
    comments = "\n".join(f"/* {comment(text)} */ // {comment(text)}" for text in NASTY)
    (tmp_path / "a.c").write_text(
        f"#include <stdio.h>\n{comments}\nstatic const char *const t[] = {{{rows}}};\n"
        f"int main(void) {{ for (int k = 0; k < {len(NASTY)}; k++) fwrite(t[k], 1, __builtin_strlen(t[k]) + 1, stdout); }}\n"
    )
    for standard in ("c99", "gnu11"):
        words = [_tool("gcc"), f"-std={standard}", "-Wall", "-Werror", "a.c", "-o", "a"]
        subprocess.run(words, cwd=tmp_path, check=True)
        said = subprocess.run(["./a"], cwd=tmp_path, capture_output=True, check=True).stdout
        assert said.decode() == "".join(f"{text}\0" for text in NASTY)


def test_make_and_cmake_run_nothing_of_it(tmp_path: Path) -> None:
    recipes = "".join(f"\t@printf '%s\\0' {make_word(text)} >> said\n" for text in NASTY)
    comments = "".join(f"# {comment(text)}\n# {word(text)}\n" for text in NASTY)
    (tmp_path / "Makefile").write_text(f"{comments}all:\n{recipes}clean:\n\t@true\n")
    for goal in ("clean", "all"):
        subprocess.run([_tool("make"), goal], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "said").read_text() == "".join(
        re.sub("[\r\n]", "?", text) + "\0" for text in NASTY
    )
    rows = "".join(f"message(STATUS {cmake_word(text)})\n" for text in NASTY)
    (tmp_path / "a.cmake").write_text(f"{comments}{rows}")
    words = [_tool("cmake"), "-P", "a.cmake"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "CANARY").exists()
