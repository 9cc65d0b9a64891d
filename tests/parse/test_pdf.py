"""What is read of a PDF, and what of one that is broken, locked or made to hurt?"""

from __future__ import annotations

import re
import zlib
from io import BytesIO

import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from crawler.parse import pdf
from crawler.parse.pdf import Pdf, plain, read_pdf


def made(
    *pages: str, title: str = "", author: str = "", password: str = "", font: str = "Helvetica"
) -> bytes:
    """A PDF with a page for each text, whose lines are parted by line feeds."""
    out = BytesIO()
    lock = StandardEncryption(password, ownerPassword="owner") if password else None
    canvas = Canvas(out, encrypt=lock)
    canvas.setTitle(title)
    canvas.setAuthor(author)
    for page in pages:
        canvas.setFont(font, 12)
        lines = canvas.beginText(72, 720)
        for line in page.split("\n"):
            lines.textLine(line)
        canvas.drawText(lines)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def read(body: bytes, *, most: int = 1_000_000, looks: int = 1_000_000) -> Pdf:
    """There is time for so many looks."""
    left = iter(range(looks))
    return read_pdf(body, max_text_bytes=most, has_time=lambda: next(left, None) is not None)


def test_text_title_author_and_pages_are_read() -> None:
    body = made("The keeper\nof the light", "Second page", title="Lights", author="A. Writer")
    assert read(body) == Pdf(
        "Lights", "A. Writer", 2, 2, None, "The keeper of the light Second page"
    )


def test_half_a_character_in_an_author_costs_no_text() -> None:
    body = re.sub(rb"/Author \([^)]*\)", b"/Author <FEFFD800>", made("hello", author="A. Writer"))
    assert b"D800" in body
    assert read(body).text == "hello"


def test_japanese_is_read() -> None:
    pdfmetrics.registerFont(UnicodeCIDFont("HeiseiMin-W3"))
    assert read(made("東京の灯台", font="HeiseiMin-W3")).text == "東京の灯台"


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("a light\x02house", "a lighthouse"),
        ("a light\x02\r\nhouse", "a lighthouse"),
        ("soft\u00adly", "softly"),
        ("Ver\u00a8offentlichung", "Veröffentlichung"),
        ("d\u00b4ej`a", "déjà"),
        ("`xyz and 5 \u00b4", "`xyz and 5 \u00b4"),
        ("a\0b \ud800 c", "a\ufffdb \ufffd c"),
    ],
)
def test_words_are_whole(page: str, words: str) -> None:
    assert plain(page) == words


def test_what_is_locked_says_so_and_what_only_may_not_be_printed_is_read() -> None:
    assert read(made("secret", password="sesame")) == Pdf(error="encrypted")
    out = BytesIO()
    canvas = Canvas(out, encrypt=StandardEncryption("", ownerPassword="owner", canPrint=0))
    canvas.drawString(72, 720, "open to all")
    canvas.save()
    assert read(out.getvalue()).text == "open to all"


@pytest.mark.parametrize(
    "body", [b"", b"%PDF-1.7", b"%PDF-1.7\n" + bytes(range(256)) * 40, b"<html>no PDF</html>"]
)
def test_what_is_none_is_broken(body: bytes) -> None:
    assert read(body) == Pdf(error="broken")


def test_what_was_cut_off_raises_nothing() -> None:
    """What is left of it is read, or it is broken; which of these is PDFium's to decide."""
    whole = made(*(f"page {number}" for number in range(20)), title="Cut")
    for end in range(0, len(whole), 211):
        found = read(whole[:end])
        assert found.error == "broken" or found.pages is not None


def test_what_is_longer_than_is_kept_is_cut_and_says_so() -> None:
    body = made(*("many words " * 5 for _ in range(50)))
    found = read(body, most=1000)
    assert (len(found.text), found.cut, found.pages) == (1000, "text", 50)
    assert 15 < (found.pages_read or 0) < 25


def test_pages_are_read_while_there_is_time() -> None:
    found = read(made("one", "two", "three", "four"), looks=3)
    assert (found.text, found.pages, found.pages_read, found.cut) == ("one two three", 4, 3, "time")


def test_so_many_pages_are_read_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MAX_PAGES", 2)
    found = read(made("one", "two", "three"))
    assert (found.text, found.pages, found.pages_read, found.cut) == ("one two", 3, 2, "pages")


def test_without_texts_only_facts_are_read() -> None:
    found = read(made("words", title="Lights"), most=0)
    assert (found.title, found.pages, found.text, found.cut) == ("Lights", 1, "", None)


def bomb(unpacked_bytes: int) -> bytes:
    """A page whose content unpacks to spaces without end."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b" " * 1_000_000) for _ in range(unpacked_bytes // 1_000_000))
    packed += packer.flush()
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(packed), packed),
    ]
    body = b"%PDF-1.4\n"
    for number, part in enumerate(parts, 1):
        body += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    return body + b"trailer << /Root 1 0 R /Size 5 >>\n%%EOF\n"


def test_a_small_bomb_is_a_page_without_text() -> None:
    found = read(bomb(20_000_000))
    assert (found.error, found.pages, found.text) == (None, 1, "")
