"""Which column of which table holds the addresses, and which list is none?"""

from __future__ import annotations

import pytest

from crawler.policy.seed_columns import Table, address_in, table

PLAIN = [
    ["http://h.test/0,1518,1,00.html", "http://h.test/0,1518,2,00.html"],
    ["http://h.test/a;b=1", "http://h.test/a;b=2"],
    ["http://h.test/a|b", "http://h.test/a|b"],
    ["http://h.test/tags/red,green", "http://h.test/tags/blue,green"],
    ["http://h.test/a,b=C", "http://h.test/a,b=D"],
    ["http://h.test/a,B/c", "http://h.test/a,B/d"],
    ["example.org", "example.com"],
    ['"http://h.test/a"', '"http://h.test/b"'],
    ["http://h.test/ # mine, and yours", "http://i.test/ # yours, and mine"],
    [],
    [""],
    ["# a, b"],
]

TABLES = [
    ("p.txt", ["url,name", "http://h.test/,Harbour", "http://i.test/,Isle"], (",", 0, "url")),
    ("p.txt", ["http://h.test/,Harbour", "http://i.test/,Isle of Man"], (",", 0, None)),
    ("p.txt", ["http://h.test/,Harbour"], (",", 0, None)),
    ("-", ["old harbour;http://h.test/", "\u00d6land;http://i.test/"], (";", 1, None)),
    ("p.csv", ["http://h.test/,Harbour", "http://i.test/,Isle"], (",", 0, None)),
    ("p.csv", ["http://h.test/;Harbour", "http://i.test/;Isle, of Man"], (";", 0, None)),
    ("p.csv", ["name,link", '"A, B",http://h.test/', "C,http://i.test/a,b"], (",", 1, "link")),
    ("-", ["name\turl", "Harbour\thttp://h.test/"], ("\t", 1, "url")),
    ("-", ["Harbour\thttp://h.test/", "Isle\thttp://i.test/"], ("\t", 1, None)),
    ("-", ['"Harbour","http://h.test/"', '"Isle","http://i.test/"'], (",", 1, None)),
    ("-", ["id|site|n", "1|h.test|2", "2|i.test|3"], ("|", 1, "site")),
    ("p.csv", ["url", "http://h.test/"], (",", 0, "url")),
    ("p.csv", ["domain", "h.test", "i.test"], (",", 0, "domain")),
    # of several, the one that is called so; else the first
    ("p.csv", ["image,url", "http://h.test/i,http://h.test/"], (",", 1, "url")),
    ("p.csv", ["a,b", "http://h.test/i,http://h.test/"], (",", 0, "a")),
    # whole addresses before names that may be anything
    ("p.csv", ["file,url", "a.pdf,http://h.test/"], (",", 1, "url")),
    # a cell over several lines
    (
        "p.csv",
        ["text,url", '"one', 'two, three",http://h.test/', "x,http://i.test/"],
        (",", 1, "url"),
    ),
    ("p.csv", ["# made by hand", "", "url,name", "http://h.test/,H"], (",", 0, "url")),
    # not everybody has a site, and a note may name one
    ("p.csv", ["n,site", "1,http://h.test/", "2,", "3,", "4,http://i.test/"], (",", 1, "site")),
    (
        "p.csv",
        ["site,note", "h.test,", "i.test,see http://j.test/", "k.test,http://j.test/"],
        (",", 0, "site"),
    ),
    # a comma in one cell is no delimiter
    ("p.csv", ["id;site;n", "1;http://h.test/;x", "2;http://i.test/;z, w"], (";", 1, "site")),
    ("p.csv", ["name,url", "A,127.0.0.1:8000", "B,127.0.0.2/b"], (",", 1, "url")),
    # a version is no address
    ("p.csv", ["v,url", "1.2.3.4,h.test", "1.2.3.5,i.test"], (",", 1, "url")),
    # most rows are enough
    ("p.csv", ["url,n", *["http://h.test/,1"] * 9, "none,1"], (",", 0, "url")),
]


@pytest.mark.parametrize("lines", PLAIN)
def test_a_plain_list_is_no_table(lines: list[str]) -> None:
    assert table("seeds.txt", lines) is None
    assert table("-", lines) is None


@pytest.mark.parametrize(("name", "lines", "found"), TABLES)
def test_the_column_of_addresses_is_found(
    name: str, lines: list[str], found: tuple[str, int, str | None]
) -> None:
    assert table(name, lines) == Table(*found)


@pytest.mark.parametrize("lines", [["name,age", "Ann,12"], ["a;b", "1;2"], [""], []])
def test_a_table_without_addresses_has_no_such_column(lines: list[str]) -> None:
    assert table("people.csv", lines) is None


def test_a_person_is_told_which_column() -> None:
    assert 'column "url"' in Table(",", 0, "url").told
    assert "column number 2" in Table(",", 1, None).told


ROWS = [
    # what stands beyond the head belongs to the cell that can take it
    ("url,name", "http://h.test/0,1518,1,00.html,Harbour", "http://h.test/0,1518,1,00.html"),
    ("url,name", "http://h.test/tags/red,green,harbour", "http://h.test/tags/red,green"),
    ("name,link", "Harbour,http://h.test/a,b", "http://h.test/a,b"),
    ("name,link", "Harbour,http://h.test/a,,b", "http://h.test/a,,b"),
    ("name,link,n", "Harbour,http://h.test/map?at=53.5,9.9,7", "http://h.test/map?at=53.5,9.9"),
    ("url", "http://h.test/a,B", "http://h.test/a"),
    ("url", "http://h.test/a,b", "http://h.test/a,b"),
    ("url,name", "http://i.test/,Isle, of Man", "http://i.test/"),
    ("url,name", "http://i.test/,isle, of man", "http://i.test/,isle"),
    ("url,name", "http://i.test/, isle, of man", "http://i.test/"),
    ("name,url", "Isle, of Man,http://i.test/", "http://i.test/"),
    ("name;url", "Harbour;http://h.test/a;b=1", "http://h.test/a;b=1"),
    ("url,name", '"http://h.test/a,b",Harbour', "http://h.test/a,b"),
    ("url,also", "http://h.test/a,http://i.test/", "http://h.test/a"),
    ("url,also,n", "http://h.test/a,b,http://i.test/,1", "http://h.test/a,b"),
    ("url,name", "http://h.test/,Harbour", "http://h.test/"),
    ("url,name", ",Harbour", ""),
    ("url,name", "http://h.test/", "http://h.test/"),
    # without a head, only what nothing but an address looks like
    (None, "http://h.test/0,1518,1,00.html", "http://h.test/0,1518,1,00.html"),
    (None, "http://h.test/0,1518,1,00.html,Harbour,7", "http://h.test/0,1518,1,00.html"),
    (None, "http://h.test/map?at=53.5,9.9&z=4", "http://h.test/map?at=53.5,9.9&z=4"),
    (None, "http://h.test/@53.5,9.9,14z/data", "http://h.test/@53.5,9.9,14z/data"),
    (None, "http://h.test/,12", "http://h.test/"),
    (None, "http://h.test/a,en", "http://h.test/a"),
    (None, "http://h.test/a,Old Harbour/Pier", "http://h.test/a"),
    (None, "http://h.test/a,http://i.test/b", "http://h.test/a"),
]


@pytest.mark.parametrize(("head", "row", "address"), ROWS)
def test_a_comma_of_an_address_does_not_cut_it(head: str | None, row: str, address: str) -> None:
    delimiter = ";" if head and ";" in head else ","
    names = head.split(delimiter) if head else []
    at = next((number for number, name in enumerate(names) if name in ("url", "link")), 0)
    told = Table(delimiter, at, names[at] if names else None)
    assert address_in(row, told, len(names) or None) == address
