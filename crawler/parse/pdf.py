"""What does a PDF say, and who wrote it?

PDFium reads it (pypdfium2, the extra ``crawler[pdf]``): in a tenth of pypdf's time, and with the
spaces between words that typesetting leaves out of a file, without which no word is found. It is
C++ at work on a stranger's bytes: call this in a process that may be killed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final
from unicodedata import normalize

import msgspec

from crawler.parse.text import clean, fact, fold, kept

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

VERSION: Final = 1
"""Of what is read here; what an older one read is read again."""
MEDIA_TYPE: Final = "application/pdf"
MAX_PAGES: Final = 2000
_INCORRECT_PASSWORD: Final = 4
"""FPDF_ERR_PASSWORD (fpdfview.h)."""
_HYPHENS: Final = re.compile("(?:\\x02|\ufffe|\u00ad)(?:\\r?\\n)?")
"""A word broken at the end of a line; PDFium says so with a character of its own."""
_BESIDE: Final = re.compile("([\u00a8\u00b4`\u02c6]) ?([A-Za-z])")
"""An accent beside its letter: so old fonts of TeX are set."""
_ACCENTS: Final = {"\u00a8": "\u0308", "\u00b4": "\u0301", "`": "\u0300", "\u02c6": "\u0302"}


class Pdf(msgspec.Struct, frozen=True):
    """What was read, or why nothing was (error). pages: of the document; pages_read: those whose
    text was. cut: why that is not all: pages (there are more than `MAX_PAGES`), time, text (it is
    longer than is kept), broken."""

    title: str | None = None
    author: str | None = None
    pages: int | None = None
    pages_read: int | None = None
    cut: str | None = None
    text: str = ""
    error: str | None = None


def is_readable() -> bool:
    """Is the library there?"""
    return find_spec("pypdfium2") is not None


def read_pdf(body: bytes, *, max_text_bytes: int, has_time: Callable[[], bool]) -> Pdf:
    """Text and facts of a PDF, whose pages are read while there is time; with ``max_text_bytes``
    0 none is. Error is ``encrypted`` where it asks for a password, or ``broken``."""
    from pypdfium2 import PdfDocument, PdfiumError

    try:
        document = PdfDocument(body)
    except PdfiumError as error:
        locked = error.err_code == _INCORRECT_PASSWORD
        return Pdf(error="encrypted" if locked else "broken")
    try:
        said = document.get_metadata_dict()
    except ValueError:  # half a character of UTF-16; the pages' text is none the worse
        said = {}
    texts, read, cut = (
        _texts(document, max_text_bytes, has_time) if max_text_bytes else ([], 0, None)
    )
    text, shortened = kept(" ".join(texts), max_text_bytes)
    return Pdf(
        title=fact(clean(said.get("Title", ""))) or None,
        author=fact(clean(said.get("Author", ""))) or None,
        pages=len(document),
        pages_read=read,
        cut=cut or shortened,
        text=text,
    )


def _texts(
    document: PdfDocument, most: int, has_time: Callable[[], bool]
) -> tuple[list[str], int, str | None]:
    """The texts of pages, of how many there are, and why these are not all."""
    from pypdfium2 import PdfiumError

    texts: list[str] = []
    held = read = 0
    cut = None
    for number in range(len(document)):
        if number == MAX_PAGES or held > most or not has_time():
            stop = "pages" if number == MAX_PAGES else "text" if held > most else "time"
            return texts, read, stop
        try:
            text = plain(document[number].get_textpage().get_text_bounded())
        except PdfiumError:
            cut = "broken"
            continue
        read += 1
        held += len(text)
        texts.append(text)
    return list(filter(None, texts)), read, cut


def plain(text: str) -> str:
    """The words of a page, as they are read."""
    joined = _HYPHENS.sub("", text)
    return fold(clean(_BESIDE.sub(_composed, joined)))


def _composed(beside: re.Match[str]) -> str:
    accent, letter = beside.groups()
    one = normalize("NFC", letter + _ACCENTS[accent])
    return one if len(one) == 1 else beside[0]
