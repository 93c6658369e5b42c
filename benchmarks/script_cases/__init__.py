"""The scripts with the largest inputs that the library gives them, for benchmarks/script_times.py.

A case is prepared up to its yield; what it calls from there on is what counts.
"""

from benchmarks.script_cases import adding, ending, flows, holding, reading, removing, taking
from benchmarks.script_cases.bench import CASES, Bench, Case

#: Scripts without a case, and why: their work does not grow with what they are given.
SMALL = {
    "add_log": "one line of one job",
    "cancel": "one job",
    "change_delay": "one job",
    "change_priority": "one job",
    "close_gap": "two fields",
    "counts": "ten lengths",
    "leave_events": "one consumer group",
    "limits": "a few fields",
    "obliterate": "thirty keys",
    "obliterate_end": "a few fields and keys",
    "open": "a few fields",
    "pause": "one field",
    "present": "one worker",
    "rate_limit": "a few fields",
    "set_limits": "a few fields",
    "sched_del": "one scheduler and its job",
    "update_data": "one job",
}

__all__ = [
    "CASES",
    "SMALL",
    "Bench",
    "Case",
    "adding",
    "ending",
    "flows",
    "holding",
    "reading",
    "removing",
    "taking",
]
