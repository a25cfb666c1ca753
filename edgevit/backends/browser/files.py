"""Files of a page: ours, the runtimes', and the data of one export."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from edgevit.backends.browser.packages import notice, runtime_files
from edgevit.errors import PackageError

PAGE = Path(__file__).with_name("page")
OURS = ("index.html", "style.css", "app.js", "check.js", "picture.js", "runtimes.js")
ONNX, TFLITE, FACTS = "model.onnx", "model.tflite", "page.json"
DATA = (ONNX, TFLITE, FACTS)  # all that is read of an exported page
NOTICE = "runtime/NOTICE.txt"


def page_files(artifact: Path, progress: Callable[[str], None] = lambda _: None) -> dict[str, Path]:
    """Map addresses of the page to files.

    Scripts are this edgevit's and the runtimes are the cache's: of the artifact only data is read,
    so that nobody else's code runs.
    """
    return _scripts(progress) | {name: _data(artifact, name) for name in DATA}


def write_page(folder: Path, progress: Callable[[str], None]) -> None:
    """Write everything but the data."""
    for name, source in _scripts(progress).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)
    (folder / NOTICE).write_text(notice(), encoding="utf-8")


def _scripts(progress: Callable[[str], None]) -> dict[str, Path]:
    files = {name: PAGE / name for name in OURS}
    return files | {f"runtime/{path}": file for path, file in runtime_files(progress).items()}


def _data(artifact: Path, name: str) -> Path:
    path = artifact / name
    if path.is_symlink() or not path.is_file():
        raise PackageError(
            f"the page has no {name}",
            where=str(path),
            why="it is a link" if path.is_symlink() else "there is no such file",
            hint="give the folder that ends in .web, whole, or export the model again",
        )
    return path
