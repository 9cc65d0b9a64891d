"""What these tests ask for, and the table at their end."""

from __future__ import annotations

import pytest

from tests.crash import stage
from tests.crash.stage import calm, chance, count, long, maze

__all__ = ["calm", "chance", "count", "long", "maze"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What each fault did."""
    stage.show(terminalreporter)
