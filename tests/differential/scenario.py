"""What is done to both queues, as data: a program for each side reads it.

A step is a list: its name, then its arguments.

================  ==================================================================
add               id, options (as the two sides read them: times in ms)
flow              a tree: {"id", "options", "children"}
schedule          scheduler id, repeat ({"every", "limit", "start_in"} in ms), data
unschedule        scheduler id
work              ids → what their starts do in turn, "*" for the others; a job that is
                  not named succeeds. Until no job waits or runs any more
take              takes a job by hand; complete, fail: id of one that was taken
kill              a process takes a job and is killed (SIGKILL); its lease is 500 ms
limit             jobs, ms: of the whole queue; free_limit: forget those that started
concurrency       jobs of the whole queue at a time
drain             whether delayed jobs go too
retry             id, state, whether the counters are reset
change_priority   id, priority, lifo
others            pause, resume, retry_jobs, promote_jobs; promote, remove: id;
                  change_delay, update_data: id, value; clean: state;
                  free_deduplication: deduplication id
================  ==================================================================

A start does one of: ok, fail, unrecoverable, delayed (parks itself for 20 ms), rate (puts
itself back for 20 ms), progress (reports 50, logs a line, then succeeds), values, failures
(returns those of its children).
"""

from dataclasses import dataclass
from typing import Any

from tests.differential.intended import Difference

Step = list[Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """Steps, and the differences that they show; any other one is an error."""

    steps: list[Step]
    #: Of intended.py.
    differs: tuple[Difference, ...] = ()
