"""TVM: a shared library for a Linux board or PC, compiled ahead of time."""
