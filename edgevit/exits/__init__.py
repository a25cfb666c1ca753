"""Early exits: a model that returns the logits of several exits, as parts that a host runs until one is sure."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.exits.api import Exits, export_exits

__all__ = ["Exits", "export_exits"]

lazy_face(__name__, {"api": ("Exits", "export_exits")})
