"""Board bundle around a network's C sources.

It adds the port, linker script, self-test, build files, figures and README.
"""
