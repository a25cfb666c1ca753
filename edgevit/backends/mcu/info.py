"""Facts about this backend that are known without importing it."""

from __future__ import annotations

from edgevit.support.backend_info import BackendInfo

INFO = BackendInfo(
    name="mcu",
    title="firmware",
    purpose="microcontrollers: C firmware",
    called=("c", "cmsisnn", "firmware"),
    backend="edgevit.backends.mcu.backend:BACKEND",
    precisions=("int8",),
    extra="mcu",
    suffix="",
    calibrates=("int8",),
    firmware=True,
    skips_zeros=("sparse-blocks",),
    code="firmware, compiled from its C sources",
    missing_facts="edgevit.backends.mcu.target_facts:missing",
    room="edgevit.backends.mcu.board.early_flash:require_flash",
    first_rules="edgevit.backends.mcu.rules:FIRST",
    ports="edgevit.backends.mcu.ports:ports",
    interpreter="edgevit.backends.mcu.run.executable:open_interpreter",
    executable="edgevit.backends.mcu.run.executable:open_executable",
    early=(
        "edgevit.backends.mcu.run.early:open_early",
        "edgevit.backends.mcu.run.early:OPTIONS",
    ),
    device="edgevit.backends.mcu.split_device:DEVICE",
    options="edgevit.backends.mcu.options:OPTIONS",
    finish="edgevit.backends.mcu.board.readme:write_readme",
    packages="edgevit.backends.mcu.packages.table:write_packages",
    runners=(("serial:/dev/tty...", "edgevit.measure.serial:open_runner"),),
    snippets="edgevit.backends.mcu.snippets:SNIPPETS",
)
