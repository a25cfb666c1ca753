"""A kill at every moment of an export's last step: the old folder is whole or the new one is, and nothing of ours stays."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from edgevit.errors import OutputError
from edgevit.exported.manifest_file import MANIFEST, write_manifest
from edgevit.exported.staging import listed_files, restore, staged
from edgevit.support.whole_file import write_whole

# All that renames or removes, by the name under which the standard library's own functions call it, too.
CALLS = ("rename", "replace", "unlink", "rmdir", "mkdir")


def fill(folder: Path, text: str) -> None:
    (folder / "a.bin").write_text(text)
    (folder / "call").mkdir()
    for name in ("b.py", "c.py"):
        (folder / "call" / name).write_text(text)
    write_manifest(folder, {"schema": 2, "files": listed_files(folder)})


def export(final: Path, text: str) -> None:
    with staged(final) as draft:
        fill(draft, text)


def fails(final: Path) -> None:
    """The next command, of a user whose next export does not go well."""
    with pytest.raises(ValueError, match="boom"), staged(final) as draft:  # noqa: PT012
        fill(draft, "three")
        raise ValueError("boom")


def text_of(final: Path) -> str:
    """Of a folder that is whole."""
    names = sorted(path.relative_to(final).as_posix() for path in final.rglob("*"))
    assert names == ["a.bin", "call", "call/b.py", "call/c.py", MANIFEST]
    (text,) = {(final / name).read_text() for name in ("a.bin", "call/b.py", "call/c.py")}
    return text


def killed(work: Callable[[], None], number: int, after: bool) -> bool:
    """Run `work` in a child that dies at its `number`th call, before or after it. False: it made fewer calls."""
    child = os.fork()
    if child == 0:
        _die_at(number, after)
        try:
            work()
            os._exit(0)
        except BaseException:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert status in {0, signal.SIGKILL}
    return status == signal.SIGKILL


def _die_at(number: int, after: bool) -> None:
    left = number

    def wrapped(call: Callable[..., None]) -> Callable[..., None]:
        def counted(*words: object, **more: object) -> None:
            nonlocal left
            left -= 1
            if left == 0 and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            last = left == 0
            try:
                call(*words, **more)
            finally:
                if last:
                    os.kill(os.getpid(), signal.SIGKILL)

        return counted

    for name in CALLS:
        setattr(os, name, wrapped(getattr(os, name)))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("then", ["fails", "succeeds"])
def test_killed_at_every_call(tmp_path: Path, after: bool, then: str) -> None:
    number, deaths = 1, 0
    while True:
        parent = tmp_path / str(number)
        final = parent / "out"
        export(final, "one")
        if not killed(lambda final=final: export(final, "two"), number, after):
            break
        deaths += 1
        if then == "fails":
            fails(final)
            assert text_of(final) in {"one", "two"}
        else:
            export(final, "three")
            assert text_of(final) == "three"
        assert [path.name for path in parent.iterdir()] == ["out"]
        number += 1
    assert text_of(final) == "two"
    assert deaths > 12


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_twice_and_then_removed_by_hand(tmp_path: Path, after: bool) -> None:
    """Half of an old export is never taken for one."""
    for first in range(5, 24, 3):
        for second in (2, 7):
            parent = tmp_path / f"{first}-{second}"
            final = parent / "out"
            export(final, "one")
            killed(lambda final=final: export(final, "two"), first, after)
            killed(lambda final=final: export(final, "three"), second, after)
            restore(final)
            assert text_of(final) in {"one", "two", "three"}
            shutil.rmtree(final)
            fails(final)
            if final.exists():
                assert text_of(final) in {"one", "two"}
            assert [path.name for path in parent.iterdir()] == ["out"] * final.exists()


def test_a_reader_finds_what_was_moved_aside(tmp_path: Path) -> None:
    """`verify` after a kill needs no export first."""
    from edgevit.errors import PackageError
    from edgevit.exported.manifest import read_manifest

    for number in range(4, 16):
        final = tmp_path / str(number) / "out"
        export(final, "one")
        killed(lambda final=final: export(final, "two"), number, after=True)
        with pytest.raises(
            PackageError, match="cannot be read"
        ):  # too little in it, but it is there
            read_manifest(final)
        assert text_of(final) in {"one", "two"}


def test_an_interrupt_between_the_renames_puts_the_old_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final, real = tmp_path / "out", os.replace
    export(final, "one")

    def interrupted(source: Path, target: Path) -> None:
        if Path(target) == final and not Path(source).name.endswith(".old"):
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(final, "two")
    assert text_of(final) == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["notes.txt", "call/mine.py", "call/deep/er/mine.py", ".hidden"])
def test_a_file_of_the_users_own_is_never_removed(tmp_path: Path, name: str) -> None:
    final = tmp_path / "out"
    export(final, "one")
    (final / name).parent.mkdir(parents=True, exist_ok=True)
    (final / name).write_text("mine")
    with pytest.raises(OutputError, match="not an export of ours") as caught:
        export(final, "two")
    assert name in caught.value.why
    assert (final / name).read_text() == "mine"
    assert (final / "a.bin").read_text() == "one"


def test_a_file_that_the_user_changed_is_never_removed(tmp_path: Path) -> None:
    final = tmp_path / "out"
    export(final, "one")
    (final / "call" / "b.py").write_text("my own call")
    with pytest.raises(OutputError) as caught:
        export(final, "two")
    assert "call/b.py: changed since it was written" in caught.value.why
    assert (final / "call" / "b.py").read_text() == "my own call"


def test_a_file_that_comes_while_the_export_runs(tmp_path: Path) -> None:
    final = tmp_path / "out"
    export(final, "one")
    with pytest.raises(OutputError, match="not an export"), staged(final) as draft:  # noqa: PT012
        fill(draft, "two")
        (final / "call" / "mine.py").write_text("mine")
    assert (final / "call" / "mine.py").read_text() == "mine"


def test_an_export_without_one_of_its_files_may_be_replaced(tmp_path: Path) -> None:
    final = tmp_path / "out"
    export(final, "one")
    (final / "call" / "b.py").unlink()
    export(final, "two")
    assert text_of(final) == "two"


def test_a_manifest_that_somebody_changed_gives_nothing_away(tmp_path: Path) -> None:
    """What it lists is not ours because it says so."""
    final = tmp_path / "out"
    export(final, "one")
    text = (final / MANIFEST).read_text()
    (final / MANIFEST).write_text(text.replace("a.bin", "b.bin"))
    with pytest.raises(OutputError):
        export(final, "two")
    assert (final / "a.bin").read_text() == "one"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_file_is_written_whole(tmp_path: Path, after: bool) -> None:
    for number in (1, 2):
        path = tmp_path / str(number) / "page.html"
        path.parent.mkdir()
        write_whole(path, b"one")
        killed(lambda path=path: write_whole(path, b"two"), number, after)
        assert path.read_bytes() in {b"one", b"two"}
        write_whole(path, b"three")
        assert [entry.name for entry in path.parent.iterdir()] == ["page.html"]


@pytest.mark.parametrize("name", ["9" * 30, "²", "1x", "", "-1"])
def test_names_that_only_look_like_drafts_stay(tmp_path: Path, name: str) -> None:
    other = tmp_path / f".out.edgevit-{name}"
    other.mkdir()
    export(tmp_path / "out", "one")
    assert other.is_dir()
