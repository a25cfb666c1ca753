"""A written artifact as a function of the model's inputs, by its runtime or an interpreter here."""

from __future__ import annotations

from edgevit.backends.artifact import Artifact
from edgevit.backends.on_host import Run, in_runtime
from edgevit.errors import PackageError
from edgevit.support.backend_info import info_of


def run_here(artifact: Artifact) -> Run:
    """Open the artifact. Raises `PackageError` where nothing runs it on this machine."""
    info = info_of(artifact.format)
    if info.session is not None:
        return in_runtime(artifact)
    if info.interpreter is not None:
        return info.part(info.interpreter)(artifact)
    raise PackageError(
        f"a {artifact.format} artifact does not run on this machine",
        where=str(artifact.path),
        why="there is neither a runtime nor an interpreter for it here",
        hint="export the model in another format of the target to evaluate it",
    )
