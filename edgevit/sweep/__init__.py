"""Sweep over models x targets x precisions on several workers, any of which may be killed."""
