"""`serial:/dev/tty...[?baud=115200]`: a microcontroller that runs a bundle's self-test and tells of it over UART.

With `--flash pyocd|openocd|esptool --elf FILE [--chip NAME]` the self-test is written to it first, by that tool.
"""

from edgevit.measure.serial.runner import open_runner

__all__ = ["open_runner"]
