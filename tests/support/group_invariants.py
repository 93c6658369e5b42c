"""What must be true of the groups of a queue at every moment."""

from collections import Counter
from collections.abc import Iterator

from tests.support.queue_dump import QueueDump


def lines_of(dump: QueueDump) -> dict[str, dict[str, float]]:
    """Group id → the jobs in its line."""
    return {
        name.removeprefix("g:"): line for name, line in dump.zsets.items() if name.startswith("g:")
    }


def check_groups(dump: QueueDump) -> Iterator[str]:
    """Say what is wrong: counts that are off, and groups that nobody would look at."""
    lines, meta = lines_of(dump), dump.hashes.get("meta", {})
    if {group: len(line) for group, line in lines.items()} != dump.zsets.get("groups", {}):
        yield f"groups says {dump.zsets.get('groups', {})} of the lines of groups"
    if int(meta.get("grouped", 0)) != sum(map(len, lines.values())):
        yield f"meta says that {meta.get('grouped')} jobs are in lines of groups"
    turns = dump.hashes.get("turns", {})
    for token in turns:
        if token.removeprefix("x") not in dump.stream("express").workers.pending:
            yield f"turns holds the token {token}, which is pending for nobody"
    active = Counter(turns.values())
    settings = {
        name.removeprefix("gs:"): fields
        for name, fields in dump.hashes.items()
        if name.startswith("gs:")
    }
    for group in active.keys() | settings.keys():
        if int(settings.get(group, {}).get("active", 0)) != active[group]:
            yield f"group {group} has {active[group]} active jobs, and does not say so"
    ring, resting = dump.zsets.get("ring", {}), dump.zsets.get("resting", {})
    for group in ring.keys() | resting.keys():
        if group not in lines:
            yield f"group {group} takes turns without a line"
    for group in lines:
        own = settings.get(group, {})
        most = own.get("concurrency", meta.get("group_concurrency"))
        is_blocked = "paused" in own or (most is not None and active[group] >= int(most))
        found = [name for name, there in (("ring", ring), ("resting", resting)) if group in there]
        if len(found) != (0 if is_blocked else 1):
            yield f"group {group} is in {found}, blocked: {is_blocked}"
