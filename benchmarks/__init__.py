"""Measures vqueue beside other queues: same Redis, same machine, same minutes.

`python -m benchmarks run` measures, `python -m benchmarks report` writes what a run found.
Not part of the wheel.
"""
