"""A vision transformer as C for a Cortex-M4: quantised, scheduled, compiled, and run on an emulated core.

    python examples/02_microcontroller.py [FOLDER]

Needs `pip install 'edgevit[mcu]'`. `FOLDER/firmware/README.md` says how to build it and call it from your program.
"""

import sys
from pathlib import Path

import edgevit

MODEL = "zoo:vit-i32-p8-d48-h3-l2"  # image 32, patches of 8, width 48, 3 heads, 2 layers


def main(folder: Path) -> None:
    result = edgevit.export(MODEL, target="qemu-m4", output=folder)
    print(result)
    for core in ("m4", "m0plus"):  # the same integers on another core
        session = edgevit.profile(result, on="emulator", core=core, no_store=True)
        ran = session.figures[0]
        assert ran.golden_match and ran.memory is not None
        instructions, ram = ran.latency.median, ran.memory.ram
        print(f"{core}: emulated {instructions:,.0f} instructions, {ram:,} bytes of RAM")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out/microcontroller"))
