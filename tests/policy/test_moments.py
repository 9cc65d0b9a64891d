"""Is a date read as people mean it, whatever is written?"""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.errors import UsageError
from crawler.policy.moments import moment


@pytest.mark.parametrize(
    ("written", "later", "means"),
    [
        ("2026-11-30", False, "2026-11-30T00:00:00.000Z"),
        ("2026-11-30", True, "2026-12-01T00:00:00.000Z"),
        ("20261130", True, "2026-12-01T00:00:00.000Z"),  # ISO 8601, the basic form
        ("2026-W49-1", True, "2026-12-01T00:00:00.000Z"),  # ISO 8601, a day of a week
        ("2026-11-30T15:00", True, "2026-11-30T15:00:00.000Z"),
        ("2026-11-30T15", True, "2026-11-30T15:00:00.000Z"),
        ("2026-11-30 15:00:01.5", False, "2026-11-30T15:00:01.500Z"),
        ("2026-11-30T15:00+02:00", False, "2026-11-30T13:00:00.000Z"),
        ("0001-01-01", False, "0001-01-01T00:00:00.000Z"),
        ("9999-12-31", False, "9999-12-31T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999999", True, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_date_or_a_time_is_a_moment_in_utc(written: str, later: bool, means: str) -> None:
    assert moment("--since", written, later=later) == means


@pytest.mark.parametrize(
    ("written", "later"),
    [
        ("0001-01-01T00:00+05:00", False),
        ("9999-12-31T23:59:59-23:59", False),
        ("9999-12-31", True),
    ],
)
def test_what_lies_beyond_all_years_is_refused(written: str, later: bool) -> None:
    with pytest.raises(UsageError, match=r"--until .*: is beyond the years 1 to 9999"):
        moment("--until", written, later=later)


@given(st.text() | st.from_regex(r"[0-9:TZW.+-]{1,30}"), st.booleans())
def test_whatever_is_written_is_a_moment_or_refused(written: str, later: bool) -> None:
    with suppress(UsageError):
        assert moment("--since", written, later=later).endswith("Z")
