"""What makes the C of a network a bundle for a board: port, linker script, self-test, build files, figures, README."""
