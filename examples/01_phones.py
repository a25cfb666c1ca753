"""A model of one's own on an iPhone and an Android phone, each checked from disk.

    python examples/01_phones.py [FOLDER]

Needs `pip install 'edgevit[coreml,executorch]'`. See examples/tiny_hybrid.py for the model.
"""

import sys
from pathlib import Path

import edgevit

MODEL = f"{Path(__file__).parent / 'tiny_hybrid.py'}:build"


def main(folder: Path) -> None:
    for target in ("iphone", "android"):
        result = edgevit.export(MODEL, target=target, output=folder / target)
        assert result.passed
        print(result)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out/phones"))
