"""All scenarios by name."""

from tests.differential.scenario import Scenario
from tests.differential.scenarios import editing, failing, flows, holding, lines, standing

SCENARIOS: dict[str, Scenario] = {
    **lines.SCENARIOS,
    **failing.SCENARIOS,
    **editing.SCENARIOS,
    **holding.SCENARIOS,
    **standing.SCENARIOS,
    **flows.SCENARIOS,
}
