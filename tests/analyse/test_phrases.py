"""Do words tell a page that is none, in any of the languages that they are known in?"""

from __future__ import annotations

import pytest

from crawler.analyse.checks.phrases import mojibake, placeholder, says_not_found

NOT_FOUND = (
    *("Page not found", "Error 404", "404 - Not Found", "404: page gone", "HTTP 404"),
    *("The page you are looking for can't be found", "The requested URL could not be found"),
    *("This page does not exist", "This page no longer exists", "We couldn\u2019t find that page"),
    *("This product is no longer available", "Seite nicht gefunden", "Fehler 404"),
    *("Diese Seite existiert nicht", "Page introuvable", "Cette page n'existe pas"),
    *("Page non trouv\u00e9e", "P\u00e1gina no encontrada", "P\u00e1gina n\u00e3o encontrada"),
    *("Pagina non trovata", "Pagina niet gevonden", "Sidan hittades inte", "Siden ble ikke funnet"),
    *("Strona nie istnieje", "Nie znaleziono strony", "Str\u00e1nka nenalezena"),
    "\u0421\u0442\u0440\u0430\u043d\u0438\u0446\u0430 \u043d\u0435 "
    "\u043d\u0430\u0439\u0434\u0435\u043d\u0430",
    "\u30da\u30fc\u30b8\u304c\u898b\u3064\u304b\u308a\u307e\u305b\u3093",
    "\u9875\u9762\u4e0d\u5b58\u5728",
)
FOUND = (
    *(
        "The Peugeot 404",
        "How the lost page was found",
        "404 kilometres on foot",
        "Page 404 of 500",
    ),
    *("Page trouv\u00e9e", "Life may not exist there", "Things not found in nature"),
)


@pytest.mark.parametrize("text", NOT_FOUND)
def test_what_says_that_it_is_not_there(text: str) -> None:
    assert says_not_found(f"Sorry! {text}.") is not None
    assert says_not_found(text.upper()) is not None


@pytest.mark.parametrize("text", FOUND)
def test_what_does_not(text: str) -> None:
    assert says_not_found(text) is None


@pytest.mark.parametrize(
    ("text", "language", "is_one"),
    [
        ("LOREM IPSUM", "en", True),
        ("Dear [insert name]", "en", True),
        ("TODO write this", "en-GB", True),
        ("TODO EL MUNDO", "es-MX", False),
        ("lorem ipsum", "es", True),
        ("my todo list", "en", False),
        ("[inserted by the editor]", "en", False),
    ],
)
def test_what_is_yet_to_be_written(text: str, language: str, is_one: bool) -> None:
    assert (placeholder(text, language) is not None) == is_one


@pytest.mark.parametrize(
    ("right", "encoding"),
    [("\u00e9\u00fc\u00df\u2019\u201d", "cp1252"), ("\u00e9\u00fc\u00df", "latin-1"),
     ("\u043f\u0440\u0438", "latin-1")],
)  # fmt: skip
def test_utf_8_that_was_read_as_something_else(right: str, encoding: str) -> None:
    wrong = right.encode().decode(encoding, "replace")
    assert len(mojibake(wrong)) == len(right)
    assert mojibake(right) == []
