"""Models x targets x precisions on many workers, of which any may be killed."""
