"""Microcontrollers: C firmware for Cortex-M and RISC-V, run on emulated cores before it is called good."""
