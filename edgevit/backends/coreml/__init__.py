"""Core ML: a program becomes an `.mlpackage`, on any operating system."""
