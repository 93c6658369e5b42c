"""What is measured. `SCENARIOS` has them by name, in the order of a run."""

from benchmarks.scenarios import adding, consuming, footprint, latency, ours
from benchmarks.scenarios.scenario import Scenario

__all__ = ["SCENARIOS", "Scenario"]

SCENARIOS = {
    scenario.name: scenario
    for module in (adding, consuming, latency, footprint, ours)
    for scenario in module.SCENARIOS
}
