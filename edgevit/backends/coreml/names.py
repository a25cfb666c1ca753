"""Names of inputs and outputs that are valid in Core ML and in Swift."""

from __future__ import annotations

import re


def feature_names(names: tuple[str, ...], taken: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return unique identifiers of letters, digits and `_` that are not in `taken`.

    None starts with a digit.
    """
    chosen: list[str] = []
    for name in names:
        plain = re.sub(r"\W", "_", name, flags=re.ASCII)
        plain = plain if re.match(r"[A-Za-z_]", plain) else f"_{plain}"
        unique, count = plain, 1
        while unique in chosen or unique in taken:
            unique, count = f"{plain}_{count}", count + 1
        chosen.append(unique)
    return tuple(chosen)
