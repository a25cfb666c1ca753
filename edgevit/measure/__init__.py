"""Measuring on any device: runners, the state of what they ran on, and the store that keeps every figure.

runner = open_runner("local")                                 measure/runner.py
session = runner.measure([Path("out/a"), Path("out/b")], Settings(rounds=10))
session.figures[1].latency, .ratio, .ratio_spread             measure/figures.py
with open_store() as store:                                   measure/store.py
    session = measured(paths, runner, settings, store)        measure/kept.py: looks there first, keeps what is new
"""
