"""Rules: what handlers send piece by piece."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.conformance.model.job import ModelJob
from tests.conformance.model.machine import QueueFrame
from vqueue.options import JobOptions
from vqueue.record import fence_of

#: Partial results that a job keeps.
KEPT = 3
_counts = st.integers(1, KEPT + 1)
#: The reply of one was lost.
_calls = st.integers(1, 2)


class Streaming(QueueFrame):
    """Partial results, of activations that hold their jobs and of those that are over."""

    @initialize(count=_counts, calls=_calls)
    def a_job_sends_results(self, count: int, calls: int) -> None:
        asked, job_id = self.ask(JobOptions()), self.new_id()
        assert self.model.add(job_id, asked)
        assert self.add_really(asked, job_id) == [1]
        self.handed_out(self.run(self.driver.take(1)), "w1", 1)
        self._send(self.model.in_state("active")[0], count, calls)

    @precondition(lambda self: self.model.in_state("active"))
    @rule(data=st.data(), count=_counts, calls=_calls)
    def send_partial_results(self, data: st.DataObject, count: int, calls: int) -> None:
        self._send(self.choose(data, self.model.in_state("active")), count, calls)

    def _send(self, job: ModelJob, count: int, calls: int) -> None:
        assert job.taken
        fence, results = fence_of(job.taken.token), []
        for _ in range(count):
            self.results_sent += 1
            place, value = f"{fence}-{self.results_sent}", self.new_value("partial")
            results.append((job.id, job.taken.token, place, value))
            job.partials = [*job.partials, (place, value)][-KEPT:]
        for _ in range(calls):
            sent = self.driver.scripts.partial(consumer=job.holder, keep=KEPT, results=results)
            assert self.run(sent) == [1] * count

    @precondition(lambda self: self.model.past)
    @rule(data=st.data())
    def a_past_activation_sends_a_result(self, data: st.DataObject) -> None:
        taken, consumer = data.draw(st.sampled_from(self.model.past), label="activation")
        late = (taken.id.decode(), taken.token, f"{fence_of(taken.token)}-99999", b'"late"')
        sent = self.driver.scripts.partial(consumer=consumer, keep=KEPT, results=[late])
        assert self.run(sent) == [0]
