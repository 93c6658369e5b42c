"""What a user of BullMQ expects of a queue, behaviour by behaviour."""

import pytest

pytest.register_assert_rewrite("tests.conformance.model")
