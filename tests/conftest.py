"""What every test may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sites.web import Web


@pytest.fixture
def web() -> Iterator[Web]:
    """A web of the test's own on loopback, empty at first."""
    served = Web()
    yield served
    served.close()
