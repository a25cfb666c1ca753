"""`emulator`: firmware on an emulated core. Counts are exact, so one run suffices."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path

from edgevit.backends import Execution
from edgevit.errors import EdgevitError, ParityError
from edgevit.measure.device import DeviceState
from edgevit.measure.figures import Figures, LayerCost, Settings, lost
from edgevit.measure.firmware import executable_of, run_firmware
from edgevit.measure.runner import Progress, plain
from edgevit.measure.sequential import SequentialRunner
from edgevit.measure.timing import Subject, subject_of
from edgevit.support.host import now


def open_runner(address: str) -> EmulatorRunner:
    plain(address, "emulator")
    return EmulatorRunner()


class EmulatorRunner(SequentialRunner):
    address = "emulator"

    def device(self) -> DeviceState:
        """Return the same state on every machine: counts depend on the core and the tools alone."""
        versions = {name: _version(name) for name in ("unicorn", "ziglang")}
        return DeviceState(
            cpu="emulated core",
            cores=1,
            memory_mb=None,
            os="none",
            python=platform.python_version(),
            governor=None,
            load=None,
            address=self.address,
            machine="emulated",
            versions={name: version for name, version in versions.items() if version},
        )

    def subject(self, path: str | Path) -> Subject:
        executable_of(Path(path))  # firmware, untouched, whose sources are those of its graph
        return subject_of(path, here=False)

    def settings_key(self, subject: Subject, settings: Settings) -> dict[str, object]:
        core = settings.core or executable_of(subject.path.parent).core
        return {"core": core, "toolchain": settings.toolchain, "emulator": settings.emulator}

    def figures(self, subject: Subject, settings: Settings, progress: Progress) -> Figures:
        folder = subject.path.parent
        try:
            execution = run_firmware(
                folder, settings.core, settings.toolchain, settings.emulator, trust=settings.trust
            )
            if not execution.golden_match:
                raise ParityError(
                    "the firmware does not compute what its integer model does",
                    where=str(folder),
                    why=f"{execution.core}, {execution.toolchain}, {execution.emulator}",
                    hint="try another --toolchain",
                )
        except EdgevitError as error:
            return lost(subject, error, "emulated", "instructions")
        return _figures(subject, execution)


def _figures(subject: Subject, execution: Execution) -> Figures:
    return Figures(
        subject,
        "emulated",
        "instructions",
        (float(execution.instructions),),
        layers=tuple(LayerCost(one.name, one.kind, one.instructions) for one in execution.layers),
        memory=execution.memory,
        golden_match=True,
        notes=(f"{execution.core}, {execution.toolchain}, {execution.emulator}",),
        when=now(),
    )


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return ""
