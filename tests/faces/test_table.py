"""Do rows arrive whole, and harmless?"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from crawler.faces import table
from crawler.faces.screen import Screen, Stream
from crawler.faces.table import Shown
from crawler.store.queries import Rows
from tests.faces.conftest import STYLE, Terminal


def rows(*values: Any) -> Rows:
    """A row of these values, twice over."""
    columns = tuple(f"c{at}" for at in range(len(values)))
    return Rows(columns, iter([values, values, values]))


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ('=HYPERLINK("http://evil/")', '\'=HYPERLINK("http://evil/")'),
        ("+1", "'+1"),
        ("-1+1", "'-1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("a;=1+1;b;-2+cmd", "a;'=1+1;b;'-2+cmd"),  # where lists are divided by semicolons
        ("a\n=1", "a\n'=1"),
        ("a; - b", "a; - b"),
        ('a;"=1+1;b', "a;'\"=1+1;b"),  # a cell in quotes, to who divides there
        ('a;"" @SUM(1);b', 'a;\'"" @SUM(1);b'),
        ("a; =1+1", "a;' =1+1"),
        ('a; "quoted"; b', 'a; "quoted"; b'),
        (-5, "-5"),
        (1.5, "1.5"),
        (None, ""),
        ("a,\n\"b'", "a,\n\"b'"),
        (b"\x00\xff", "00ff"),
        ("", ""),
    ],
)
def test_a_cell_of_csv_is_whole_and_no_formula(value: Any, cell: str) -> None:
    out = io.StringIO()
    table.write_csv(rows(value, "x"), 1, out)
    assert list(csv.reader(io.StringIO(out.getvalue()))) == [["c0", "c1"], [cell, "x"]]


@pytest.mark.parametrize("value", ["a\rb", "\r", "a\r\nb", 'a\r"b', "a\x00b", "a\u2028b"])
def test_no_end_of_line_in_a_cell_ends_its_row(value: str) -> None:
    out = io.StringIO(newline="")
    table.write_csv(rows("x", value), 1, out)
    assert out.getvalue().startswith("c0,c1\nx,")
    [_, found] = csv.reader(io.StringIO(out.getvalue(), newline=""))
    assert found == ["x", value if value != "\r" else "'\r"]


def test_the_head_of_csv_is_as_harmless_as_its_rows(terminal: Terminal) -> None:
    """A view of a stranger's file calls its columns as it likes."""
    out = io.StringIO()
    table.write_csv(Rows(("=1+1", "b"), iter([])), 1, out)
    assert out.getvalue() == "'=1+1,b\n"
    with open(terminal.descriptor, "w", encoding="utf-8", closefd=False) as stream:
        table.write_csv(Rows(("\x1b[2J", "b"), iter([])), 1, stream)
    assert "\x1b" not in terminal.shown()


def test_json_has_a_line_a_row_in_ascii() -> None:
    out = io.StringIO()
    table.write_json(rows("é\x1b", None, 3, b"\xff"), 2, out)
    text = out.getvalue()
    assert text.isascii()
    expected = {"c0": "é\x1b", "c1": None, "c2": 3, "c3": "ff"}
    assert [json.loads(line) for line in text.splitlines()] == [expected, expected]


def test_csv_on_a_terminal_commands_nothing(terminal: Terminal) -> None:
    with open(terminal.descriptor, "w", encoding="utf-8", closefd=False) as out:
        table.write_csv(rows("\x1b[2J"), 1, out)
    shown = terminal.shown()
    assert r"\x1b[2J" in shown
    assert "\x1b" not in shown


def test_a_wide_table_on_a_terminal_breaks_no_address_and_leaves_no_blanks(
    terminal: Terminal,
) -> None:
    long = "http://example.org/" + "x" * 300
    asked = Rows(("url", "status", "title"), iter([(long, 200, None), ("漢字", 99_999_999, "b")]))
    assert table.show_table(asked, 5, terminal.screen, wide=True) == Shown(more=False)
    assert STYLE.sub("", terminal.shown()).split("\r\n") == [
        f"url{'':117}  status    title",
        f"{long}       200",
        f"漢字{'':116}  99999999  b",
        "",
    ]


def lines_of(terminal: Terminal) -> list[str]:
    """What stands on a terminal, without its styles."""
    return STYLE.sub("", terminal.shown()).split("\r\n")[:-1]


def test_on_a_terminal_a_table_fits_the_window_without_ids(terminal: Terminal) -> None:
    page, link = (
        "http://example.org/harbours/atlantis/page.html",
        f"http://example.org/{'x' * 90}/end",
    )
    asked = Rows(
        ("page", "link", "anchor", "status", "target_id"),
        iter(
            [
                (page, link, "The harbour of Atlantis, as it was", 404, 17),
                (page, link, "漢字", 404, 18),
            ]
        ),
    )
    assert table.show_table(asked, 5, terminal.screen) == Shown(more=False, shortened=True)
    assert lines_of(terminal) == [
        "page              link              anchor            status",
        "http:…/page.html  http:…xxxxxx/end  The harbour of …     404",
        "http:…/page.html  http:…xxxxxx/end  漢字                 404",
    ]


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (("id", "source_id"), "id  source_id"),
        (
            tuple(f"column_number_{at}" for at in range(9)),
            "column_…  " * 4 + "column_n…  " * 2,
        ),
        (("identity", "paid"), "identity  paid"),
    ],
    ids=["ids alone", "more columns than have room", "no ids"],
)
def test_columns_that_say_something_are_shown_as_far_as_there_is_room(
    terminal: Terminal, columns: tuple[str, ...], shown: str
) -> None:
    table.show_table(Rows(columns, iter([])), 5, terminal.screen)
    assert lines_of(terminal) == [shown.rstrip()]


def test_no_line_is_wider_than_the_window_whatever_stands_there(terminal: Terminal) -> None:
    for count in range(1, 12):
        for text in ("漢" * 50, "http://h.test/" + "字" * 50, "x", ""):
            asked = Rows(tuple("abcdefghijkl"[:count]), iter([(text,) * count, (7,) * count]))
            table.show_table(asked, 5, terminal.screen)
        assert all(cell_len(line) <= 60 for line in lines_of(terminal))


def test_a_table_for_no_terminal_cuts_nothing_and_says_when_there_is_more(tmp_path: Path) -> None:
    long = "http://example.org/" + "x" * 300
    with (tmp_path / "out").open("wb") as file:
        screen = Screen(Stream(file.fileno()))
        assert table.show_table(rows(long, "[bold]"), 2, screen) == Shown(more=True)
        assert table.show_table(rows(long), 3, screen) == Shown(more=False)
    lines = (tmp_path / "out").read_text(encoding="utf-8").splitlines()
    assert lines[1].split() == [long, "[bold]"]
    assert len(lines) == 3 + 4


def test_a_column_without_a_value_takes_no_room_on_a_terminal(terminal: Terminal) -> None:
    asked = Rows(
        ("url", "reason", "other", "links"), iter([("/a", None, "", 0), ("/b", "", "", 2)])
    )
    shown = table.show_table(asked, 2, terminal.screen)
    assert lines_of(terminal)[0].split() == ["url", "links"]
    assert shown == Shown(more=False, shortened=True)


def test_for_no_terminal_all_rows_are_written_however_many(tmp_path: Path) -> None:
    asked = Rows(("number",), iter([(at,) for at in range(table.MEASURED * 2)]))
    with (tmp_path / "out").open("w") as out:
        shown = table.show_table(asked, None, Screen(Stream(out.fileno())))
    lines = (tmp_path / "out").read_text().splitlines()
    assert [int(line) for line in lines[1:]] == list(range(table.MEASURED * 2))
    assert not shown.more
