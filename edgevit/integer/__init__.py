"""Integer networks: a small closed set of operations, defined once by their numpy implementation.

The C kernels, the emitters and the tests all answer to the `run` methods here. No stage before quantisation imports it.
"""
