"""Rules: job schedulers with an interval, and their time."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.conformance.model.machine import QueueFrame
from tests.conformance.model.schedulers import ModelScheduler
from tests.conformance.model.times import HOUR_MS
from vqueue.options import JobOptions
from vqueue.schedule_scripts import SchedulerRecord

#: Milliseconds before now in which slots are placed: far more than counts as late.
_PAST_MS = 500_000


class Scheduling(QueueFrame):
    """Schedulers that are made, changed and removed, and whose slots come."""

    @initialize()
    def slots_lie_in_the_past(self) -> None:
        self.slot = self.run(self.driver.now_ms()) - _PAST_MS

    def _new_slot(self) -> int:
        """A time in the past that no slot has had."""
        self.slot += 1
        return self.slot

    @rule(
        scheduler_id=st.sampled_from(["s1", "s2"]),
        timing=st.sampled_from(["one", "another"]),
        missed=st.sampled_from(["one", "one", "all", "skip"]),
        limit=st.sampled_from([0, 0, 1, 2]),
        options=st.sampled_from([JobOptions(), JobOptions(lifo=True), JobOptions(priority=2)]),
        is_immediate=st.booleans(),
    )
    def put_a_scheduler(
        self,
        scheduler_id: str,
        timing: str,
        missed: str,
        limit: int,
        options: JobOptions,
        is_immediate: bool,
    ) -> None:
        slot = self._new_slot()
        asked = self.ask(options)
        record = SchedulerRecord(
            scheduler_id=scheduler_id,
            timing=timing.encode(),
            name="task",
            lines=b'"task"\n{"scheduler":"%b"}\n%b' % (scheduler_id.encode(), asked.data),
            place=options.settings[1],
            every_ms=HOUR_MS,
            anchor=str(slot),
            first=str(slot) if is_immediate else "",
            slots="",
            final=0,
            limit=limit,
            last_ms=0,
            missed=missed,
            overlap=1,
        )
        self.run(self.driver.scripts.sched_put(scheduler=record))
        new = ModelScheduler(timing=timing, asked=asked, missed=missed, limit=limit)
        new.due = [slot] if is_immediate else []
        self.model.put_scheduler(scheduler_id, new)

    @precondition(lambda self: self.model.schedulers)
    @rule(data=st.data())
    def remove_a_scheduler(self, data: st.DataObject) -> None:
        scheduler_id = data.draw(st.sampled_from(sorted(self.model.schedulers)))
        assert self.run(self.driver.scripts.sched_del(scheduler_id=scheduler_id))
        self.model.remove_scheduler(scheduler_id)

    @precondition(lambda self: self._ahead)
    @rule(data=st.data())
    def the_slot_of_a_scheduler_comes(self, data: st.DataObject) -> None:
        scheduler_id = data.draw(st.sampled_from(self._ahead))
        slot = self._new_slot()
        self.run(self._bring_slot(scheduler_id, slot))
        self.model.schedulers[scheduler_id].due.append(slot)

    @property
    def _ahead(self) -> list[str]:
        """The schedulers whose next slot has not come yet."""
        schedulers = self.model.schedulers.items()
        return sorted(one_id for one_id, one in schedulers if not one.due and not one.has_ended)

    async def _bring_slot(self, scheduler_id: str, slot: int) -> None:
        prefix, meta = self.driver.keys.prefix, self.driver.keys.meta
        key = f"{prefix}sched:{scheduler_id}"
        await self.driver.redis("HSET", key, "slot", slot, "anchor", slot)
        await self.driver.redis("ZADD", f"{prefix}sched", "XX", slot, scheduler_id)
        first = await self.driver.redis("ZRANGE", f"{prefix}sched", 0, 0, "WITHSCORES")
        await self.driver.redis("HSET", meta, "sched", first[1])
