"""Latency predictions for devices that are not at hand, fitted on published figures."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.forecast.model import forecast_model

__all__ = ["forecast_model"]

lazy_face(
    __name__,
    {
        "model": ("forecast_model",),
    },
)
