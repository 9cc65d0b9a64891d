"""What is the address, and is it one that can be fetched?"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.policy import urls
from crawler.policy.urls import Resolver, resolve

CORPORA = Path(os.environ.get("CRAWLER_CORPORA", "../shared/corpora"))
WPT = CORPORA / "wpt-url-via-ada" / "tests" / "wpt" / "urltestdata.json"

# Cases of the web platform tests that are URLs, but that no crawler could fetch: the rule which
# says so stands beside each. Everything else must come out as the standard says.
UNFETCHABLE = {
    "http://./": "a label must not be empty (RFC 1035, section 2.3.1)",
    "http://../": "a label must not be empty (RFC 1035, section 2.3.1)",
    "http://foo.09../": "a label must not be empty (RFC 1035, section 2.3.1)",
    "http://f:0/c": "TCP port 0 is reserved (RFC 6335, section 6)",
}


def wpt_cases() -> list[dict[str, Any]]:
    if not WPT.exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{WPT} is missing: set CRAWLER_CORPORA")
        pytest.skip(f"no URL corpus at {WPT}: set CRAWLER_CORPORA to run this")
    return [case for case in json.loads(WPT.read_text("utf-8")) if isinstance(case, dict)]


def expected_of(case: dict[str, Any]) -> tuple[str | None, str | None]:
    """URL and refusal by the corpus' own fields; None for the URL of another scheme."""
    if case.get("failure"):
        return None, "url_invalid"
    if case["protocol"] not in ("http:", "https:"):
        return None, "scheme"
    query = case["search"]
    if not query and case["href"].partition("#")[0].endswith("?"):
        query = "?"  # the field `search` says "" for an empty query too, the href keeps its mark
    return f"{case['protocol']}//{case['host']}{case['pathname']}{query}", None


def test_every_wpt_case_has_the_verdict_of_the_standard() -> None:
    cases = wpt_cases()
    wrong = []
    refused = set()
    for case in cases:
        target, _ = resolve(case["input"], case.get("base"), blocked_ports=frozenset())
        url, refusal = expected_of(case)
        if refusal is None and target.refusal == "url_invalid":
            refused.add(target.url)
        elif target.refusal != refusal or url not in (None, target.url):
            wrong.append((case["input"], case.get("base"), target))
    assert wrong == []
    assert refused == set(UNFETCHABLE)
    assert sum(1 for case in cases if case.get("failure")) == 267
    assert len(cases) == 891
