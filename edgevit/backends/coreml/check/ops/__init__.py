"""One function per MIL operation, one file per family, and one table of them all."""
