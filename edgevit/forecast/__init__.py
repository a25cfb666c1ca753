"""Latency predictions for devices that are not at hand, fitted on published figures."""
