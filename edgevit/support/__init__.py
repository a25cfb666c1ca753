"""Helpers for all stages. They use the standard library alone and know no models or devices."""
