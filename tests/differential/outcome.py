"""What there is to see of a scenario on one side.

=======  ==========================================================================
steps    after each step: its answer (of take and kill the job's id, else "refused" or
         None), counts by state, jobs by id, jobs made by schedulers
order    ids of the jobs in the order in which they were started
events   by job, see events.py
=======  ==========================================================================
"""

import json
import re
from typing import Any

Outcome = dict[str, Any]

#: Ids of the jobs of schedulers: `repeat.<scheduler>.<ms>` here, with colons there.
_SCHEDULED = re.compile(r"repeat[.:]([\w-]+)[.:](\d+)")


def with_plain_ids(outcome: Outcome) -> Outcome:
    """Call the jobs of a scheduler `<scheduler>#<n>`: their ids hold a time."""
    text = json.dumps(outcome)
    slots: dict[str, list[str]] = {}
    for scheduler, slot in sorted(set(_SCHEDULED.findall(text))):
        slots.setdefault(scheduler, []).append(slot)
    plain: Outcome = json.loads(
        _SCHEDULED.sub(lambda m: f"{m[1]}#{slots[m[1]].index(m[2]) + 1}", text)
    )
    return plain
