"""Where vqueue differs from BullMQ on purpose: each difference makes two outcomes equal.

docs/conformance.md gives the reasons; a test holds the two together. A scenario names those
that it shows: anywhere else the same difference is an error.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.differential import adjusting as adjust
from tests.differential.outcome import Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One intended difference."""

    #: As docs/conformance.md names it.
    name: str
    #: Gets our outcome and BullMQ's, and takes this difference out of them.
    apply: Callable[[Outcome, Outcome], None]
    #: Whether it is in every scenario; else those name it that show it.
    is_everywhere: bool = False


NAMES_WORKER = Difference(
    name="`active` names the worker", apply=adjust.name_worker, is_everywhere=True
)
TELLS_ATTEMPTS = Difference(
    name="an end tells the attempts", apply=adjust.tell_attempts, is_everywhere=True
)
CLEARED_REASON = Difference(
    name="a success clears the reason of earlier failures", apply=adjust.clear_reasons
)
CLEARED_TRACES = Difference(
    name="a retry by hand clears the stack traces", apply=adjust.clear_traces
)
KEPT_PRIORITY = Difference(
    name="jobs that are retried together keep their priorities", apply=adjust.keep_priorities
)
STALL_FIRST = Difference(
    name="a stall is told first, with its number", apply=adjust.tell_stalls_first
)
STALLED_PLACE = Difference(
    name="a stalled job goes to the front of its own priority", apply=adjust.keep_stalled_place
)
STALL_ENDS = Difference(name="a job fails with its last stall", apply=adjust.fail_with_last_stall)
MADE_WHEN_DUE = Difference(
    name="a scheduler makes its job when it is due", apply=adjust.make_when_due
)
FAILS_TOGETHER = Difference(
    name="a parent fails together with its child", apply=adjust.fail_parents_at_once
)
FAILS_UNASKED = Difference(
    name="a parent fails with a child that has no option for it", apply=adjust.fail_without_option
)
WAITS_IN_LINE = Difference(
    name="a job that stands in line waits for the children that it is given",
    apply=adjust.wait_in_line,
)
PLAIN_REF = Difference(
    name="a child is named without the prefix of its key", apply=adjust.drop_prefix
)
CHANGES_TOLD = Difference(
    name="a change of data or priority is told", apply=adjust.leave_out_changes
)
DRAINED_BESIDE_DELAYED = Difference(
    name="a queue with delayed jobs can be drained", apply=adjust.drain_beside_delayed
)
REMOVALS_TOLD = Difference(name="what drain and clean remove is told", apply=adjust.tell_removals)
REMOVED_FROM_WAITING = Difference(
    name="`removed` calls the state waiting", apply=adjust.call_it_waiting
)
REMOVED_AS_PARENT = Difference(
    name="a parent that is removed does not wait first", apply=adjust.remove_parents_at_once
)
ADDED_FIRST = Difference(
    name="a job is told before what it replaces", apply=adjust.tell_added_first
)
KEPT_ASIDE = Difference(
    name="keep_last_if_active holds between two attempts, too", apply=adjust.keep_aside
)
KEPT_ID = Difference(
    name="the id of a removed job stays taken for ten minutes", apply=adjust.keep_id_taken
)
LIFTED_LIMIT = Difference(
    name="a lifted rate limit holds no worker back", apply=adjust.free_at_once
)

#: In the order in which they are taken out.
INTENDED = (
    NAMES_WORKER,
    TELLS_ATTEMPTS,
    CLEARED_REASON,
    CLEARED_TRACES,
    KEPT_PRIORITY,
    STALL_FIRST,
    STALLED_PLACE,
    STALL_ENDS,
    MADE_WHEN_DUE,
    FAILS_TOGETHER,
    FAILS_UNASKED,
    WAITS_IN_LINE,
    PLAIN_REF,
    CHANGES_TOLD,
    DRAINED_BESIDE_DELAYED,
    REMOVALS_TOLD,
    REMOVED_FROM_WAITING,
    REMOVED_AS_PARENT,
    ADDED_FIRST,
    KEPT_ASIDE,
    KEPT_ID,
    LIFTED_LIMIT,
)
