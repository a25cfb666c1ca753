"""Calling code for an artifact, in the languages of its device, generated from its manifest."""
