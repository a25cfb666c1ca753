"""Arduino library, PlatformIO project, Zephyr application and ESP-IDF component."""

from __future__ import annotations

import shutil
from pathlib import Path

from edgevit.backends.mcu.packages.archive import write_zip
from edgevit.backends.mcu.packages.firmware import Firmware, templates, write_filled
from edgevit.support.quoting import comment

# target -> platform and board of PlatformIO, with the Arduino framework
_PLATFORMIO = {
    "stm32f407": ("ststm32", "disco_f407vg"),
    "stm32f746": ("ststm32", "disco_f746ng"),
    "stm32h743": ("ststm32", "nucleo_h743zi"),
    "nrf52840": ("nordicnrf52", "nrf52840_dk"),
    "nrf51822": ("nordicnrf51", "bbcmicrobit"),
    "rp2040": ("raspberrypi", "pico"),
    "esp32-c3": ("espressif32", "esp32-c3-devkitm-1"),
}
_ZEPHYR = {
    "stm32f407": "stm32f4_disco",
    "stm32f746": "stm32f746g_disco",
    "stm32h743": "nucleo_h743zi",
    "stm32n6": "stm32n6570_dk",
    "nrf52840": "nrf52840dk/nrf52840",
    "nrf51822": "bbc_microbit",
    "rp2040": "rpi_pico",
    "rp2350": "rpi_pico2/rp2350a/m33",
    "esp32-c3": "esp32c3_devkitm",
    "qemu-m3": "mps2/an385",
    "qemu-m4": "mps2/an386",
    "qemu-m7": "mps2/an500",
    "qemu-m55": "mps3/corstone300/an547",
    "corstone-300": "mps3/corstone300/an547",
    "qemu-nrf51": "bbc_microbit",
    "qemu-stm32f405": "olimex_stm32_h405",
}
_NO_BOARD = "YOUR_BOARD"


def arduino(firmware: Firmware, folder: Path) -> Path:
    """Write the library's zip, for "Add .ZIP Library"; its example is a sketch."""
    library = folder / f"ev_model_{firmware.slug}"
    firmware.copy_library(library)
    shutil.copytree(firmware.folder / "src", library / "src")
    shutil.copy(firmware.folder / "library.properties", library)
    sketch = library / "examples" / "SelfTest"
    firmware.copy_golden(sketch)
    shutil.copy(templates() / "arduino" / "SelfTest.ino", sketch)
    return write_zip(library, folder / f"{library.name}.zip", library.name)


def platformio(firmware: Firmware, folder: Path) -> Path:
    platform, board = _PLATFORMIO.get(firmware.target, ("YOUR_PLATFORM", _NO_BOARD))
    library = folder / "lib" / "ev_model"
    firmware.copy_library(library)
    shutil.copytree(firmware.folder / "src", library / "src")
    shutil.copy(firmware.folder / "library.json", library)
    firmware.copy_golden(folder / "src")
    shutil.copy(templates() / "arduino" / "SelfTest.ino", folder / "src" / "main.cpp")
    write_filled(
        "platformio/platformio.ini",
        folder / "platformio.ini",
        NAME=comment(firmware.name),
        ENVIRONMENT=board.lower(),
        PLATFORM=platform,
        BOARD=board,
    )
    return folder


def zephyr(firmware: Firmware, folder: Path) -> Path:
    values = {
        "NAME": comment(firmware.name),
        "SLUG": firmware.slug,
        "BOARD": _ZEPHYR.get(firmware.target, _NO_BOARD),
    }
    firmware.copy_library(folder / "module")
    shutil.copytree(firmware.folder / "zephyr", folder / "module" / "zephyr")
    for name in ("CMakeLists.txt", "prj.conf", "sample.yaml"):
        write_filled(f"zephyr/{name}", folder / name, **values)
    firmware.copy_golden(folder / "src")
    shutil.copy(templates() / "zephyr" / "src" / "main.c", folder / "src")
    return folder


def esp_idf(firmware: Firmware, folder: Path) -> Path:
    """Write the component, with a project as its example."""
    component = folder / "ev_model"
    firmware.copy_library(component)
    sources = "\n".join(f'    "{source}"' for source in firmware.sources)
    values = {"NAME": comment(firmware.name), "VERSION": firmware.version, "SOURCES": sources}
    for name in ("CMakeLists.txt", "idf_component.yml"):
        write_filled(f"esp-idf/{name}", component / name, **values)
    project = component / "examples" / "selftest"
    write_filled("esp-idf/project.cmake", project / "CMakeLists.txt")
    shutil.copytree(templates() / "esp-idf" / "main", project / "main")
    firmware.copy_golden(project / "main")
    return component
