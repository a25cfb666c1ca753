"""Safe copy of a .pt2 archive: read, checked, and rewritten from the checked parts.

`torch.export.load` executes parts of the file: pickles (example inputs, subclass weights,
custom objects), strings (see `pt2_strings`), compiled libraries (AOTInductor). Here

- every member must be one that a plain exported program needs, stored and not compressed (so the
  archive cannot unfold to more than its own size), once, under a harmless name;
- pickles are read by torch's restricted unpickler and written anew from the tensors that came out;
- the program's JSON is parsed, every string in it is checked, and it is written anew without the
  parts that are not needed.

torch then loads the new archive. Two zip or JSON readers that disagree about the file cannot be
played against each other, as torch never sees the original bytes of anything but raw weights.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils import _pytree as pytree

from edgevit.errors import ModelError
from edgevit.frontend import pt2_strings as strings
from edgevit.frontend.trial import first_line

_PROGRAM = "models/model.json"
_EXAMPLE = "data/sample_inputs/model.pt"
_CONFIGS = {
    "data/weights/": "data/weights/model_weights_config.json",
    "data/constants/": "data/constants/model_constants_config.json",
}
_PAYLOAD = re.compile(r"(weight|tensor)_\d+")
_DROPPED = re.compile(
    r"extra/.*|byteorder|archive_version|archive_format|\.(data|format)[/_\w]*|\.storage_alignment"
)
_KEPT_METADATA = ("stack_trace", "nn_module_stack", "torch_fn")
_OLD_FORMAT = "serialized_exported_program.json"

_CHECKS: dict[str, Callable[[str], str]] = {
    "target": strings.check_operator,
    "as_operator": strings.check_operator,
    "expr_str": strings.check_expression,
    "guards_code": strings.check_guard,
    "in_spec": strings.check_tree,
    "out_spec": strings.check_tree,
    "as_string": strings.check_text,
    "name": strings.check_name,
    "as_name": strings.check_name,
    "forward_arg_names": strings.check_name,
}
_REFUSED_KEYS = ("as_custom_obj", "custom_obj", "custom_obj_values", "treespec_namedtuple_fields")


def safe_copy(path: Path) -> io.BytesIO:
    """Rebuild the archive at `path` from its harmless parts; raise `ModelError` if it has
    others.
    """
    members = _members(path)
    safe = {_PROGRAM: _safe_program(members[_PROGRAM], path)}
    for folder, config in _CONFIGS.items():
        safe.update(_safe_payloads(members, folder, config, path))
    safe[_EXAMPLE] = _safe_example(members.get(_EXAMPLE, b""), path)
    copy = io.BytesIO()
    writer = torch._C.PyTorchFileWriter(copy)
    writer.set_min_version(6)
    for name, data in {**safe, "archive_format": b"pt2", "archive_version": b"0"}.items():
        writer.write_record(name, data, len(data))
    writer.write_end_of_file()
    copy.seek(0)
    return copy


def refuse(path: Path, why: str, where: str = "") -> ModelError:
    return ModelError(
        f"`{path}` holds more than tensors and operators, and is not loaded",
        where=where or str(path),
        why=why,
        hint="--trust, if you know who made the file: loading it may run code from it",
    )


def unreadable(path: Path, why: str) -> ModelError:
    return ModelError(
        f"`{path}` is not an exported program",
        where=str(path),
        why=why,
        hint="torch.export.save(torch.export.export(model, inputs), 'model.pt2')",
    )


def _members(path: Path) -> dict[str, bytes]:
    """Read the needed members, without their common root folder.

    All others must be known to be harmless.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            _check_infos(infos, path.stat().st_size, path)
            root = infos[0].filename.split("/")[0] + "/" if infos else ""
            names = [i.filename.removeprefix(root) for i in infos]
            _check_names(names, path)
            members = [i for i, n in zip(infos, names, strict=True) if not _DROPPED.fullmatch(n)]
            return {i.filename.removeprefix(root): archive.read(i) for i in members}
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError) as error:
        size = path.stat().st_size
        raise unreadable(
            path, f"{size} bytes, not a whole zip file: {first_line(error)}"
        ) from error
    except RuntimeError as error:  # an encrypted member
        raise refuse(path, first_line(error)) from error


def _check_infos(infos: list[zipfile.ZipInfo], size: int, path: Path) -> None:
    """Check that members are what they seem within `size` bytes: nothing is compressed, overlaps or
    points outside.
    """
    names = [info.filename for info in infos]
    if len(set(names)) != len(names):
        raise refuse(path, "two members have the same name")
    for info in infos:
        if ".." in info.filename.split("/") or "\\" in info.filename or info.filename[:1] == "/":
            raise refuse(path, f"the member `{info.filename}` points outside the archive")
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise refuse(path, f"the member `{info.filename}` is compressed")
    if sum(info.file_size for info in infos) > size:
        raise refuse(path, "its members overlap: together they are larger than the file")


def _check_names(names: list[str], path: Path) -> None:
    if _OLD_FORMAT in names or any(n.endswith(_OLD_FORMAT) for n in names):
        raise unreadable(path, "it is in the format of torch 2.7 and before: export it again")
    if "archive_format" not in names:
        shown = ", ".join(names[:3])
        raise unreadable(path, f"a zip file, but not one of torch.export (it holds {shown}, ...)")
    for name in names:
        folder, _, file = name.rpartition("/")
        payload = f"{folder}/" in _CONFIGS and _PAYLOAD.fullmatch(file)
        is_metadata = name in (_PROGRAM, _EXAMPLE, *_CONFIGS.values())
        if not (payload or is_metadata or _DROPPED.fullmatch(name)):
            raise refuse(path, f"it holds `{name}`", where=name)
    lacking = [n for n in (_PROGRAM, *_CONFIGS.values()) if n not in names]
    if lacking:
        raise unreadable(path, f"it holds no `{lacking[0]}`")


def _parse(data: bytes, name: str, path: Path) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise unreadable(path, f"{name}: {first_line(error)}") from error


def _safe_program(data: bytes, path: Path) -> bytes:
    program = _parse(data, _PROGRAM, path)
    try:
        _strip_metadata(program)
        _check(program, "", path)
    except RecursionError as error:
        raise refuse(path, "its graph is nested without end") from error
    return json.dumps(program).encode()


def _strip_metadata(value: Any) -> None:
    """Keep where an operator comes from; drop what is looked up, imported or rebuilt on load."""
    if isinstance(value, list):
        for item in value:
            _strip_metadata(item)
    elif isinstance(value, dict):
        if "metadata" in value:
            stated = value["metadata"] if isinstance(value["metadata"], dict) else {}
            texts = {k: stated[k] for k in _KEPT_METADATA if isinstance(stated.get(k), str)}
            value["metadata"] = texts
        for key, item in value.items():
            if key != "metadata":
                _strip_metadata(item)


def _check(value: Any, key: str, path: Path) -> None:
    if isinstance(value, dict):
        for inner, item in value.items():
            if inner in _REFUSED_KEYS and item:
                raise refuse(path, f"it holds custom objects (`{inner}`)")
            if reason := strings.check_path(inner):
                raise refuse(path, reason, where=_PROGRAM)
            if inner != "metadata":
                _check(item, inner, path)
    elif isinstance(value, list):
        for item in value:
            _check(item, key, path)
    elif isinstance(value, str) and (reason := _CHECKS.get(key, strings.check_path)(value)):
        raise refuse(path, reason, where=_PROGRAM)


def _safe_payloads(
    members: dict[str, bytes], folder: str, config_name: str, path: Path
) -> dict[str, bytes]:
    """Return the config of one folder of tensors, and the tensors: raw ones as they are, pickled
    ones rebuilt.
    """
    config = _parse(members[config_name], config_name, path)
    _check(config, "", path)
    entries = config.get("config") if isinstance(config, dict) else None
    if not isinstance(entries, dict) or not all(isinstance(e, dict) for e in entries.values()):
        raise unreadable(path, f"{config_name} lists no tensors")
    safe = {config_name: json.dumps(config).encode()}
    for tensor, entry in entries.items():
        name = folder + str(entry.get("path_name"))
        if not _PAYLOAD.fullmatch(str(entry.get("path_name"))):
            raise refuse(path, f"it holds `{name}`", where=name)
        if name not in members:
            raise unreadable(path, f"it holds no data for `{tensor}` ({name})")
        if entry.get("use_pickle"):
            safe[name] = _rebuilt(members[name], name, path)
        elif not members[name] and _elements(entry):
            raise unreadable(path, f"it holds no data for `{tensor}`: weights were left out")
        else:
            safe.setdefault(name, members[name])
    return safe


def _elements(entry: dict[str, Any]) -> int:
    count = 1
    for size in (entry.get("tensor_meta") or {}).get("sizes", ()):
        count *= int(size.get("as_int", 1))
    return count


def _safe_example(data: bytes, path: Path) -> bytes:
    if not data:
        return b""
    rebuilt = _unpickle(data, _EXAMPLE, path)
    leaves, spec = pytree.tree_flatten(rebuilt)
    if not all(isinstance(x, torch.Tensor | bool | int | float | None) for x in leaves):
        raise refuse(path, "its example inputs are not tensors", where=_EXAMPLE)
    if reason := _kinds(rebuilt):
        raise refuse(path, reason, where=_EXAMPLE)
    return _pickled(pytree.tree_unflatten(leaves, spec))


def _kinds(value: object) -> str:
    """Return why example inputs are refused, or "".

    They may nest in plain containers, with names as keys.
    """
    if isinstance(value, dict):
        bad = [k for k in value if not isinstance(k, str) or strings.check_name(k)]
        if bad:
            return f"`{str(bad[0])[:60]}` is not the name of an input"
        return next(filter(None, map(_kinds, value.values())), "")
    if isinstance(value, list | tuple):
        return next(filter(None, map(_kinds, value)), "")
    return ""


def _rebuilt(data: bytes, name: str, path: Path) -> bytes:
    tensor = _unpickle(data, name, path)
    if not isinstance(tensor, torch.Tensor):
        raise refuse(path, f"`{name}` holds a {type(tensor).__name__}", where=name)
    return _pickled(tensor)


def _unpickle(data: bytes, name: str, path: Path) -> Any:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as inner:
            _check_infos(inner.infolist(), len(data), path)
        return torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    except ModelError:
        raise
    except Exception as error:
        lines = [x.strip() for x in str(error).splitlines() if "GLOBAL" in x or "Unsupported" in x]
        reason = lines[0].partition(". Please")[0] if lines else first_line(error)
        raise refuse(path, f"the pickle `{name}`: {reason}", where=name) from error


def _pickled(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()
