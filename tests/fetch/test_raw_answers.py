"""What comes of every raw answer of the hostile web, however its bytes are split?"""

from __future__ import annotations

from typing import Any

import pytest

from tests.fetch.raw import CASES, Case
from tests.fetch.stage import PATIENT, QUICK, bytewise, fetch, stage, whole


@pytest.mark.parametrize("say", [whole, bytewise])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.number} {case.rule}")
def test_a_raw_answer_ends_as_its_case_says(case: Case, say: Any) -> None:
    limits = QUICK if case.end == "hold" else PATIENT
    with stage(say(case.says, case.end)) as server:
        reply = fetch(server.url(), limits, **case.fields)
    told = (reply.status, reply.error, reply.truncated)
    assert told == (case.status, case.error, case.truncated), reply.error_detail
    assert reply.body == case.body
    assert server.connections == 1, "there is never a second request"
    assert (reply.error is None) == (reply.error_detail is None)
    shown = "".join((reply.error_detail or "", *(text for pair in reply.headers for text in pair)))
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in shown)
