"""Which kernel does an operation on a core, and how it is called: one table of cards."""
