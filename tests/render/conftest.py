"""Pages are shown by Debian's Chromium, which the tests need as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.config import RenderConfig
from tests.sites.skip import _absent


@pytest.fixture(autouse=True)
def _browser() -> None:
    """The test skips where there is no such browser."""
    if not Path(RenderConfig().program).exists():
        _absent("there is no browser to show pages: apt-get install chromium-headless-shell")
