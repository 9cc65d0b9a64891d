"""Chance, rounds and the table of faults, as in the tests of crashes."""

from __future__ import annotations

import pytest

from tests.crash.stage import chance, count, long, show

__all__ = ["chance", "count", "long"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What each fault did."""
    show(terminalreporter)
