"""Measurement on any device: runners, the state of the device, and the store of all figures.

runner = open_runner("local")                                 measure/runner.py
session = runner.measure([Path("out/a"), Path("out/b")], Settings(rounds=10))
session.figures[1].latency, .ratio, .ratio_spread             measure/figures.py
with open_store() as store:                                   measure/store.py
    session = measured(paths, runner, settings, store)        measure/cache.py: the store first
"""
