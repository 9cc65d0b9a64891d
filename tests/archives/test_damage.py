"""Files come from anywhere: what is no record costs a line and bounded time and memory."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from crawler.imports.onward import Onward
from crawler.imports.records import MEMBER, Damage, moment, records
from tests.archives.making import answer, packed, page, record, response
from tests.archives.test_import import bring  # noqa: F401  # a fixture
from tests.crawls import check_whole, rows
from tests.sites.skip import ROOT
from tests.terminal import Terminal

A, B, C = (response(f"http://a.example/{name}", name, number=n) for n, name in enumerate("ABC"))
PACKED = [gzip.compress(one, mtime=0) for one in (A, B, C)]


def titles(database: Path) -> list[str]:
    return [title for (title,) in rows(database, "SELECT title FROM pages ORDER BY id")]


DAMAGES = {
    "cut off inside a member": (b"".join(PACKED)[:-20], ["A", "B"]),
    "cut off between two members": (b"".join(PACKED[:2]), ["A", "B"]),
    "rubbish between members": (PACKED[0] + b"rubbish" * 99 + PACKED[1] + PACKED[2], list("ABC")),
    "rubbish before all": (PACKED[0][:30] + PACKED[1] + PACKED[2], ["B", "C"]),
    "a bit that fell over": (
        PACKED[0] + PACKED[1][:60] + bytes([PACKED[1][60] ^ 0xFF]) + PACKED[1][61:] + PACKED[2],
        ["A", "C"],
    ),
    "a checksum that is wrong": (PACKED[0] + PACKED[1][:-8] + bytes(8) + PACKED[2], ["A", "C"]),
    "a member of nothing": (PACKED[0] + gzip.compress(b"") + PACKED[1] + PACKED[2], list("ABC")),
    "a member of rubbish": (PACKED[0] + gzip.compress(b"!") + PACKED[1] + PACKED[2], list("ABC")),
    "beginnings of members": (PACKED[0] + MEMBER * 50 + PACKED[1] + PACKED[2], list("ABC")),
    "packed twice": (gzip.compress(PACKED[0]) + PACKED[1] + PACKED[2], ["B", "C"]),
    "zeros between all": (bytes(500).join(PACKED), list("ABC")),
    "zeros at the end": (b"".join(PACKED) + bytes(5000), list("ABC")),
    "no end of line at the end": (b"".join([*PACKED[:2], gzip.compress(C.rstrip())]), list("ABC")),
}


@pytest.mark.parametrize("how", DAMAGES)
def test_what_is_whole_of_a_damaged_archive_is_kept(how: str, bring: Any) -> None:  # noqa: F811
    data, kept = DAMAGES[how]
    database = bring(data)
    # Of a member that is damaged in its middle the records before the damage may be whole.
    assert set(kept) <= set(titles(database)) <= set("ABC")
    assert (titles(database) == list("ABC")) or "not readable" in bring.err or "cut" in how
    check_whole(database)


PLAIN = {
    "rubbish between records": (A + b"rubbish" * 99 + b"\n" + B, ["A", "B"]),
    "zeros between records": (A + bytes(100) + b"\n" + B, ["A", "B"]),
    "a packed one behind": (A + PACKED[1], ["A", "B"]),
    "cut off": ((A + B)[:-30], ["A"]),
    "a line without a colon": (A.replace(b"WARC-Date", b"nonsense\r\nWARC-Date") + B, ["A", "B"]),
}


@pytest.mark.parametrize("how", PLAIN)
def test_what_is_whole_of_a_damaged_plain_archive_is_kept(how: str, bring: Any) -> None:  # noqa: F811
    data, kept = PLAIN[how]
    assert titles(bring(data, suffix=".warc")) == kept


def told(data: bytes) -> list[str]:
    """What is read of an archive: addresses, and a word for each damage."""
    found = records(io.BytesIO(data), "a.warc")
    return ["damage" if isinstance(one, Damage) else one.url[-1] for one in found]


def test_what_is_not_found_any_more_is_told() -> None:
    """A record begins on a line of its own."""
    assert told(A + b"rubbish" + B) == ["A", "damage"]


@pytest.mark.parametrize("behind", [b"rubbish", bytes(100)])
def test_nothing_in_a_record_is_taken_for_one_behind_damage(behind: bytes) -> None:
    """Whoever writes a page could else write the archive."""
    plain = record("response", "http://a.example/D", answer(b"<p>\n" + A))
    packed = gzip.compress(record("response", "http://a.example/E", answer(PACKED[0])))
    assert told(plain + behind + PACKED[1]) == ["D", "damage", "B"]
    assert told(packed + behind + PACKED[1]) == ["E", "damage", "B"]


def told_length(length: str) -> bytes:
    return record("response", "http://a.example/X", answer(page("X")), length=length)


@pytest.mark.parametrize("length", ["-5", "99999999999999999999999", "abc", "", "1e3", "0x10", "4"])
@pytest.mark.parametrize("pack", [True, False])
def test_a_length_that_is_none_costs_its_record_alone(
    length: str,
    pack: bool,
    bring: Any,  # noqa: F811
) -> None:
    parts = [A, told_length(length), B]
    data = packed(*parts) if pack else b"".join(parts)
    database = bring(data, suffix=".warc.gz" if pack else ".warc")
    assert titles(database) == ["A", "B"]
    told_times = 2 if length == "4" else 1  # what stands behind its four bytes is told, too
    assert f"{told_times} not readable" in bring.err


ODD = {
    "no date": A.replace(b"WARC-Date: 2019-05-06T07:08:09Z\r\n", b""),
    "a date that is none": A.replace(b"2019-05-06T07:08:09Z", b"2019-99-99"),
    "no HTTP": record("response", "http://a.example/", b"this is no answer"),
    "nothing at all": record("response", "http://a.example/", b""),
    "a head without end": record("response", "http://a.example/", b"HTTP/1.1 200 OK\r\nX: y"),
    "endless headers": record(
        "response", "http://a.example/", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000
    ),
    "a huge header of the record": record(
        "response", "http://a.example/", answer(page("X")), more={"X": "y" * 2_000_000}
    ),
    "many headers of the record": record(
        "response", "http://a.example/", answer(page("X")), more=[("X", "y")] * 100_000
    ),
    "an address without a host": record("response", "http://a b/", answer(page("X"))),
    "an address that is too long": response("http://a.example/" + "x" * 5000, "X"),
}


@pytest.mark.parametrize("how", ODD)
def test_a_record_that_cannot_be_read_is_told_and_passed_over(
    how: str,
    bring: Any,  # noqa: F811
) -> None:
    database = bring(packed(ODD[how], B))
    assert titles(database) == ["B"]
    assert "1 not readable" in bring.err
    assert "passed over" in bring.err
    assert max(map(len, bring.err.splitlines())) < 500


def test_damage_is_told_though_all_else_is_to_be_silent(crawler: Terminal) -> None:
    (crawler.folder / "in.warc.gz").write_bytes(packed(A, B)[:-20])
    ran = crawler("import", "in.warc.gz", "--db", "in.db", "--quiet")
    assert (ran.code, ran.out, ran.err.count("\n")) == (0, "", 1)
    assert "passed over" in ran.err
    (crawler.folder / "in.warc.gz").write_bytes(packed(A, B))
    assert crawler("import", "in.warc.gz", "--db", "in.db", "--quiet").err == ""


def test_what_is_told_of_a_record_commands_no_terminal(bring: Any) -> None:  # noqa: F811
    evil = response("http://a.example/\x1b]0;x\x07\n" + "y" * 3000, "X")
    bring(packed(evil.replace(b"\n" + b"y" * 3000, b"y" * 3000), B))
    assert "\x1b" not in bring.err


NO_ARCHIVES = {
    "a page.html": b"<!doctype html><title>x</title>",
    "nothing.warc.gz": b"",
    "noise.warc": bytes(range(256)) * 10,
    "packed.warc.gz": gzip.compress(b"no record"),
    "old.arc.gz": gzip.compress(b"filedesc://x.arc 0.0.0.0 20010101000000 text/plain 76\n"),
}


@pytest.mark.parametrize("name", NO_ARCHIVES)
def test_what_is_no_archive_is_refused_before_anything_is_made(
    name: str, crawler: Terminal
) -> None:
    (crawler.folder / name).write_bytes(NO_ARCHIVES[name])
    ran = crawler("import", name, "--db", "in.db")
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert name in ran.err
    assert not (crawler.folder / "in.db").exists()


def test_a_file_that_is_not_there_is_told(crawler: Terminal) -> None:
    ran = crawler("import", "nowhere.warc.gz", "--db", "in.db")
    assert (ran.code, ran.err) == (2, "crawler: nowhere.warc.gz: no such file\n")
    ran = crawler("import", ".", "--db", "in.db")
    assert (ran.code, "is a folder; name its files" in ran.err) == (2, True)
    ran = crawler("import", "https://www.example.org/x.warc.gz", "--db", "in.db")
    assert (ran.code, "is an address; fetch the archive" in ran.err) == (2, True)


def _zip(**names: bytes) -> bytes:
    out = io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as package:
        for name, data in names.items():
            package.writestr(name.replace("__", "/").replace("_", "."), data)
    return out.getvalue()


def test_a_zip_file_without_an_archive_is_refused(crawler: Terminal) -> None:
    (crawler.folder / "x.wacz").write_bytes(_zip(pages__pages_jsonl=b"{}"))
    ran = crawler("import", "x.wacz", "--no-analyse", "--db", "in.db")
    assert ran.code == 2
    assert "there is no WARC file in its archive/" in ran.err


@pytest.mark.parametrize("cut", [100, 300, -1, -30])
def test_a_zip_file_that_is_cut_off_is_told(cut: int, crawler: Terminal) -> None:
    data = _zip(archive__a_warc=A + B + C, pages__pages_jsonl=b"{}")
    (crawler.folder / "x.wacz").write_bytes(data[:cut])
    ran = crawler("import", "x.wacz", "--no-analyse", "--db", "in.db")
    assert ran.code == 0
    assert "damaged ZIP file" in ran.err


def test_no_name_in_a_zip_file_is_a_place_on_this_machine(crawler: Terminal) -> None:
    out = io.BytesIO()
    with ZipFile(out, "w") as package:
        package.writestr("archive/../../escaped.warc", A)
        package.writestr("/archive/b.warc", B)
        package.writestr("archive/c.warc", C)
    (crawler.folder / "x.wacz").write_bytes(out.getvalue())
    assert crawler("import", "x.wacz", "--no-analyse", "--db", "in.db").code == 0
    assert not (crawler.folder.parent / "escaped.warc").exists()
    assert "C" in titles(crawler.folder / "in.db")


def test_a_zip_file_that_names_the_same_bytes_many_times_is_not_read(crawler: Terminal) -> None:
    out = io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as package:
        package.writestr("archive/a.warc", A)
        package.filelist += package.filelist * 2
    (crawler.folder / "x.wacz").write_bytes(out.getvalue())
    ran = crawler("import", "x.wacz", "--no-analyse", "--db", "in.db")
    assert ran.code == 0
    assert "damaged ZIP file (archive/a.warc and archive/a.warc overlap)" in ran.err


class Once(io.BytesIO):
    """A stream that can be read once, as what is unpacked."""

    def seek(self, *_: int) -> int:
        raise AssertionError("it is unpacked anew")


def test_damage_behind_damage_in_a_zip_file_is_unpacked_once(crawler: Terminal) -> None:
    """Each damage of a packed file of 350 KB had its 300 MB unpacked up to there."""
    endless = b"\r\nWARC/1.0\r\nX: " + b"x" * (300 << 10) + b"\n"
    hole = b"A" * (5 << 20) + b"\r\n\r\n"
    data = A + endless + hole + B + endless * 3 + hole + C
    found = list(records(Onward(Once(data)), "x"))
    urls = [one.url for one in found if not isinstance(one, Damage)]
    assert urls == [f"http://a.example/{name}" for name in "ABC"]
    (crawler.folder / "x.wacz").write_bytes(_zip(archive__a_warc=data))
    assert crawler("import", "x.wacz", "--no-analyse", "--db", "in.db").code == 0
    assert titles(crawler.folder / "in.db") == list("ABC")


PEAK = """
import sys
from pathlib import Path
import crawler._patch
from crawler.config import Config
from crawler.imports.run import bring
lines = []
counts = bring([Path(sys.argv[1])], Path(sys.argv[2]), Config(), tell=lines.append)
peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
print(counts.brought, counts.damaged, int(peak) // 1024)
"""


def packed_zeros(size: int, head: bytes) -> bytes:
    """A gzip member of a record that goes on with so many zeros."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(head)]
    parts += [packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join([*parts, packer.compress(b"\r\n\r\n"), packer.flush()])


def bomb(size: int) -> bytes:
    begun = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
    length = str(size + len(begun))
    head = record("response", "http://a.example/bomb", b"", length=length).rstrip()
    return packed_zeros(size, head + b"\r\n\r\n" + begun)


BOMBS = {
    "a body of zeros": lambda: bomb(400 << 20),
    "a header of zeros": lambda: packed_zeros(200 << 20, b"WARC/1.0\r\nX: "),
    "no record at all": lambda: packed_zeros(200 << 20, b""),
    "a bomb inside the answer": lambda: packed(
        record(
            "response",
            "http://a.example/inside",
            answer(
                packed_zeros(400 << 20, b"<title>in</title>"), headers={"Content-Encoding": "gzip"}
            ),
        )
    ),
}


@pytest.mark.parametrize("how", BOMBS)
def test_a_bomb_takes_bounded_memory(how: str, tmp_path: Path) -> None:
    (tmp_path / "bomb.warc.gz").write_bytes(PACKED[0] + BOMBS[how]() + PACKED[1])
    ran = subprocess.run(
        [sys.executable, "-c", PEAK, str(tmp_path / "bomb.warc.gz"), str(tmp_path / "in.db")],
        cwd=ROOT,
        capture_output=True,
        timeout=250,
        check=True,
    )
    *_, peak_mb = map(int, ran.stdout.split())
    assert {"A", "B"} <= set(titles(tmp_path / "in.db"))
    cut = rows(tmp_path / "in.db", "SELECT error, body_bytes FROM pages WHERE title IS NULL")
    assert cut in ([], [("too_large", 10 * 1024 * 1024)])
    assert peak_mb < 250


def test_many_beginnings_that_are_none_take_bounded_time(tmp_path: Path) -> None:
    """Each is tried once, and none from its beginning again."""
    stream = io.BytesIO(b"WARC/1.0\r\n\r\nx\n" * 3000 + A)
    found = list(records(stream, "x"))
    assert [one for one in found if not isinstance(one, Damage)]
    assert len(found) < 10_000


def test_many_heads_without_end_take_bounded_time(tmp_path: Path) -> None:
    began = time.process_time()
    found = list(records(io.BytesIO(b"WARC/1.0\r\n" * 200_000 + b"x\n" * 200_000 + A), "x"))
    assert time.process_time() - began < 60  # 5 s, measured; an hour where each is tried
    assert [one.url for one in found if not isinstance(one, Damage)] == ["http://a.example/A"]


MOMENTS = {
    "2019-05-06T07:08:09Z": "2019-05-06T07:08:09.000Z",
    "2019-05-06T07:08:09.123456789Z": "2019-05-06T07:08:09.123Z",
    "2019-05-06T07:08Z": "2019-05-06T07:08:00.000Z",  # WARC 1.1, 5.4: less than a second
    "2019-05-06": "2019-05-06T00:00:00.000Z",
    "2019-05-06T09:08:09+02:00": "2019-05-06T07:08:09.000Z",
    "20190506070809": "2019-05-06T07:08:09.000Z",
    "2019-99-99": None,
    "yesterday": None,
    "": None,
    "0001-01-01T00:00:00+23:59": None,
}


@pytest.mark.parametrize("written", MOMENTS)
def test_dates_are_read_as_archives_write_them(written: str) -> None:
    assert moment(written) == MOMENTS[written]


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_a_date_at_the_end_of_time_spoils_no_analysis(at: str, crawler: Terminal) -> None:
    data = packed(
        response("http://a.example/odd", "Odd", at=at),
        response("http://a.example/", "Front", number=2),
    )
    (crawler.folder / "x.warc.gz").write_bytes(data)
    ran = crawler("import", "x.warc.gz", "--db", "x.db")
    assert (ran.code, "Traceback" in ran.err) == (0, False), ran.err
    assert crawler("audit", "--db", "x.db").code in (0, 1)
    assert titles(crawler.folder / "x.db") == ["Odd", "Front"]
