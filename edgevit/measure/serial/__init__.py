"""`serial:/dev/tty...[?baud=115200]`: a microcontroller that reports a bundle's self-test by UART.

With `--flash pyocd|openocd|esptool --elf FILE [--chip NAME]` that tool flashes the self-test first.
"""

from edgevit.measure.serial.runner import open_runner

__all__ = ["open_runner"]
