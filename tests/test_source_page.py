"""Is the newcomer's page of the source true?"""

from __future__ import annotations

import re

import pytest

from tests.sites.skip import ROOT

SOURCE = ROOT / "crawler"
PAGE = (SOURCE / "README.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(?:crawler/)?((?:\w+/)*(?:\w+\.pyx?|\w+/))`", PAGE)))
TABLE = PAGE[PAGE.index("| room |") : PAGE.index("## Threads")]
UNASKED = {"__init__.py", "__main__.py", "_patch.py", "README.md", "__pycache__"}


@pytest.mark.parametrize("name", NAMED)
def test_every_module_that_is_named_is_there(name: str) -> None:
    """A module inside a room, or a test, may be named without its room."""
    places = (ROOT / "tests").rglob(name) if name.startswith("test_") else SOURCE.glob(f"*/{name}")
    assert (SOURCE / name).exists() or ("/" not in name and any(places))


def test_enough_modules_are_named_to_be_looked_for() -> None:
    assert len(NAMED) > 40


def test_every_room_has_its_question() -> None:
    rooms = {f"{one.name}/" if one.is_dir() else one.name for one in SOURCE.iterdir()}
    assert {
        room for room in rooms if room.rstrip("/") not in UNASKED and f"`{room}`" not in TABLE
    } == set()


def test_the_table_of_rooms_is_one_table() -> None:
    assert "\n\n|" not in TABLE
