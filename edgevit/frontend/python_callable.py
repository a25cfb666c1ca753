"""`FILE.py:CALLABLE` and `PACKAGE.MODULE:CALLABLE`: a model that the user's own code builds.

Both run code: of the file's folder, or, for a module, of the current directory, from which nothing else is imported.

The callable takes no argument and returns an `nn.Module`, or `(module, example_inputs)`. A module
class is called, a module instance is taken as it is. Without example inputs the module may say what
it takes: `example_inputs`, or `input_size`; what it says in `preprocess` is used too.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import torch
from torch import nn

from edgevit.errors import ModelError, UsageError, suggest
from edgevit.frontend.module_source import module_and_example, module_source
from edgevit.frontend.request import Request, Scheme
from edgevit.frontend.source import ModelSource
from edgevit.frontend.trial import place_of
from edgevit.frontend.user_code import ends_the_command, said, without_our_words


def takes(spec: str) -> bool:
    place, colon, name = spec.rpartition(":")
    return bool(colon) and all(part.isidentifier() for part in name.split(".")) and bool(place)


def build(request: Request) -> ModelSource:
    place, _, _ = request.spec.rpartition(":")
    if request.weights == "pretrained":
        raise UsageError(
            "--weights pretrained is for timm: and hf: models",
            hint="let the callable load its weights, or give --weights FILE",
        )
    with _importable(place), without_our_words(place):
        namespace, target = _imported(request.spec)
        module, example = module_and_example(_called(target, request.spec), request.spec)
        _take(module, namespace)
    origin = str(getattr(namespace, "__file__", None) or place)
    return module_source(module, example, request, origin)


def load_object(spec: str) -> Any:
    """Import and return the object that a spec of the user's own code names, without calling it."""
    if not takes(spec):
        raise UsageError(
            f"`{spec[:200]}` names no object",
            where=spec[:200],
            why="it is none of FILE.py:NAME and PACKAGE.MODULE:NAME",
            hint="nets.py:SPACE, or package.module:SPACE",
        )
    place = spec.rpartition(":")[0]
    with _importable(place), without_our_words(place):
        return _imported(spec)[1]


def _imported(spec: str) -> tuple[ModuleType, Any]:
    place, _, name = spec.rpartition(":")
    namespace = _import_file(place) if place.endswith(".py") else _import_module(place)
    return namespace, _attribute(namespace, name, spec)


@contextlib.contextmanager
def _importable(place: str) -> Iterator[None]:
    """Put the file's folder (else the working directory) on the import path, as under `python
    FILE.py`.
    """
    folder = str(Path(place).resolve().parent) if place.endswith(".py") else str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)


class _AsWritten(SourceFileLoader):
    """Loader that compiles the file each time: Python's cache knows a file by its second and length alone."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _import_file(place: str) -> ModuleType:
    path = Path(place)
    if not path.is_file():
        beside = path.parent.glob("*.py") if path.parent.is_dir() else ()
        raise ModelError(
            f"no file `{place[:200]}`",
            where=str(Path.cwd()),
            why="it is a folder" if path.is_dir() else "there is none of that name",
            hint=suggest(place[:200], map(str, beside)) or "a file: path/net.py:build",
        )
    name = f"edgevit_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_AsWritten(name, str(path)))
    if spec is None or spec.loader is None:
        raise ModelError(f"`{place}` is not a Python file")
    namespace = importlib.util.module_from_spec(spec)
    sys.modules[name] = namespace  # dataclasses and pickle look their module up there
    code, before = path.read_bytes(), torch.get_rng_state()
    try:
        spec.loader.exec_module(namespace)
    except BaseException as error:
        sys.modules.pop(name, None)
        raised = _raised(error, f"`{place}` cannot be imported")
        earlier = _IMPORTS.get(path.resolve())
        if earlier is None or not earlier.is_same(code, before):
            raise raised from error
        earlier.error = raised
        sys.modules[name] = earlier.namespace
        return earlier.namespace
    _IMPORTS[path.resolve()] = _Import(code, namespace, before, torch.get_rng_state())
    return namespace


@dataclass
class _Import:
    """A file as it was imported, and the state of torch's generator before and after.

    A file that defines operators cannot be imported twice in one process. Unchanged, it is what it was.
    """

    code: bytes
    namespace: ModuleType
    before: torch.Tensor
    after: torch.Tensor
    error: ModelError | None = None  # of an import since

    def is_same(self, code: bytes, state: torch.Tensor) -> bool:
        """Check for the same file, and leave the generator as an import leaves it."""
        if code != self.code:
            return False
        if torch.equal(self.before, self.after):
            torch.set_rng_state(state)
            return True
        if not torch.equal(self.before, state):
            return False
        torch.set_rng_state(self.after)
        return True


_IMPORTS: dict[Path, _Import] = {}
_TAKEN: weakref.WeakSet[nn.Module] = weakref.WeakSet()  # an export may have changed their weights


def _take(model: nn.Module, namespace: ModuleType) -> None:
    """Refuse a model that an earlier export has taken from a file that cannot be imported afresh."""
    modules = set(model.modules())
    errors = [one.error for one in _IMPORTS.values() if one.namespace is namespace and one.error]
    if errors and any(module in _TAKEN for module in modules):
        raise errors[0]
    _TAKEN.update(modules)


def _import_module(place: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and (place == error.name or place.startswith(error.name + ".")):
            raise ModelError(
                f"no module `{place}`",
                why=str(error),
                hint="a file is given with its ending: path/file.py:callable",
            ) from error
        raise _raised(error, f"`{place}` cannot be imported") from error
    except BaseException as error:
        raise _raised(error, f"`{place}` cannot be imported") from error


def _attribute(namespace: ModuleType, name: str, spec: str) -> Any:
    target: Any = namespace
    for part in name.split("."):
        if not hasattr(target, part):
            raise ModelError(
                f"`{spec.rpartition(':')[0]}` has no `{name}`",
                where=str(getattr(namespace, "__file__", None) or namespace.__name__),
                why=f"nothing in it is called `{part}`",
                hint=_callables_hint(target, part) or "name a callable that returns the model",
            )
        target = getattr(target, part)
    return target


def _called(target: Any, spec: str) -> object:
    if isinstance(target, nn.Module) or not callable(target):
        return target
    try:
        return target()
    except BaseException as error:
        raise _raised(error, f"`{spec}` raised while it built the model") from error


def _callables_hint(target: Any, part: str) -> str:
    home = getattr(target, "__name__", None)
    if hasattr(getattr(target, "models", None), part):  # torchvision.models
        return f"{home}.models:{part}"
    own = [
        n
        for n, value in vars(target).items()
        if not n.startswith("_")
        and (isinstance(value, nn.Module) or getattr(value, "__module__", None) == home)
    ]
    return suggest(part, own)


def _raised(error: BaseException, message: str) -> ModelError:
    if ends_the_command(error):
        raise error
    where = place_of(error)
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{error.filename}:{error.lineno}"
    return ModelError(
        message,
        where=where or message.split("`")[1],
        why=said(error),
        hint="--debug shows the traceback",
    )


SCHEME = Scheme("FILE.py:CALLABLE or PACKAGE.MODULE:CALLABLE", takes, build, "as built")
