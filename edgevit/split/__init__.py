"""One model over several devices: parts in a row, with quantised links, and a small runtime that joins them."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.split.api import Split, export_split

__all__ = ["Split", "export_split"]

lazy_face(__name__, {"api": ("Split", "export_split")})
