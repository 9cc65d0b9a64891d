"""What several tests of fetching need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crawler.fetch import tls
from tests.fetch.certificates import CA


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("http2") / "ca.pem"
    CA.cert_pem.write_to_path(str(path))
    yield str(path)
    tls.context.cache_clear()
