"""Do robots.txt of 500 KiB on two thousand hosts fit into a conductor?"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.test_large_robots import see_that_they_fit
from tests.sites.web import Web

HOSTS = 2000
MOST_KB = 300_000
PATIENCE_S = 3600


@pytest.mark.timeout(PATIENCE_S)
def test_large_files_of_two_thousand_hosts_fill_no_memory(web: Web, tmp_path: Path) -> None:
    see_that_they_fit(web, tmp_path, HOSTS, MOST_KB, PATIENCE_S)
