"""Latency predictions for devices that are not at hand, fitted on published figures."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.forecast.api import forecast
    from edgevit.forecast.model import ModelForecast

__all__ = ["ModelForecast", "forecast"]

lazy_face(
    __name__,
    {
        "api": ("forecast",),
        "model": ("ModelForecast",),
    },
)
