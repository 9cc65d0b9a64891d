"""What these tests ask for; without `make torture` none of them is collected."""

from __future__ import annotations

import pytest

from tests.crash import stage
from tests.crash.stage import alone, calm, chance, count, long, maze

__all__ = ["alone", "calm", "chance", "count", "long", "maze"]

collect_ignore_glob = [] if stage.IS_LONG else ["test_*.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What each fault did."""
    stage.show(terminalreporter)
