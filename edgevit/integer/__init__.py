"""What an integer network computes, defined once: a small closed set of operations with their numpy meaning.

The C kernels, the emitters and the tests all answer to the `run` methods here. No stage before quantisation imports it.
"""
