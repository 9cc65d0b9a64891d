"""What these tests ask for, and the table at their end."""

from __future__ import annotations

import pytest

from tests.crash import stage
from tests.crash.stage import alone, calm, chance, count, long, maze

__all__ = ["alone", "calm", "chance", "count", "long", "maze"]


def pytest_configure(config: pytest.Config) -> None:
    """A mark for what is too long for every day."""
    config.addinivalue_line("markers", "torture: only `make torture` runs this")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without `make torture` the long ones are not there."""
    if not stage.IS_LONG:
        items[:] = [item for item in items if not item.get_closest_marker("torture")]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What each fault did."""
    stage.show(terminalreporter)
