"""Times far beyond a run of the model's test: they come when a rule brings them."""

from hypothesis import strategies as st

#: Seconds.
HOUR = 3600
HOUR_MS = HOUR * 1000
#: Of jobs.
DELAYS = (HOUR, 2 * HOUR)
delays = st.sampled_from(DELAYS)
