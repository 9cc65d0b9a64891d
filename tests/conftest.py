"""What every test may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.sites.web import Web

# An example of Hypothesis's takes as long as the machine lets it, and so does making one up.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.fixture
def web() -> Iterator[Web]:
    """A web of the test's own on loopback, empty at first."""
    served = Web()
    yield served
    served.close()
