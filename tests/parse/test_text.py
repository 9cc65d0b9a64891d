"""What does a person read on this page?"""

from __future__ import annotations

import pytest

from crawler.parse.text import clean, count_words, fingerprint
from tests.parse.page import parsed


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>one</p><p>two</p>", "one two"),
        ("<ul><li>one<li>two</ul>three", "one two three"),
        ("one<div>two</div>three", "one two three"),
        ("one<br>two<hr>three", "one two three"),
        ("<table><tr><td>1<td>2<tr><td>3</table>", "1 2 3"),
        ("<b>o</b>n<i>e</i>", "one"),
        ("<code><span>os</span><span>.</span><span>path</span></code>", "os.path"),
        ("<pre>a\n  b</pre>", "a b"),
        ("a&nbsp;b\u3000c", "a b c"),
        ("<p>caf&eacute; &lt;b&gt; &#x1F600;", "café <b> 😀"),
        ("<title>no</title><p>yes", "yes"),
        ("<style>no</style><script>no</script><template>no</template>yes", "yes"),
        ("<noscript>no</noscript><iframe>no</iframe><object>no</object>yes", "yes"),
        ("<!-- no -->yes<?no no?>", "yes"),
        ("<svg><title>no</title><text>yes</text></svg>", "yes"),
        ("<button>a</button><select><option>b<option>c</select><textarea>d</textarea>", "a b c d"),
        ("<img alt=no>yes", "yes"),
        ("", ""),
        ("<p> </p>", ""),
    ],
)
def test_the_text_is_what_a_browser_shows(markup: str, text: str) -> None:
    document = parsed(f"<html><body>{markup}</body></html>")
    assert document.text == text
    assert document.word_count == len(text.split())


def test_a_page_that_shows_nothing_has_no_hash() -> None:
    assert parsed("<script>x</script>").text_hash is None
    assert fingerprint("") is None


def test_a_hash_fits_sqlite() -> None:
    numbers = [fingerprint(str(n)) for n in range(1000)]
    assert len(set(numbers)) == 1000
    assert all(number is not None and 0 <= number < 2**63 for number in numbers)


@pytest.mark.parametrize("label", ["text/html", "text/plain"])
def test_a_mebibyte_of_text_is_kept_and_the_rest_is_told(label: str) -> None:
    document = parsed("größer " * 200_000, label)
    assert document.text is not None
    assert 1024 * 1024 - 8 < len(document.text.encode()) <= 1024 * 1024
    assert set(document.text.split()) <= {"größer", "größe", "größ", "grö", "gr", "g"}
    assert document.truncated == "text"
    # of all of it
    assert document.word_count == 200_000
    assert document.text_hash == fingerprint(("größer " * 200_000).strip())


def test_a_text_that_just_fits_is_whole() -> None:
    document = parsed("<p>" + "x" * 1024 * 1024)
    assert (len(document.text or ""), document.truncated) == (2**20, None)


def test_words_stand_between_spaces() -> None:
    assert [count_words(text) for text in ("", "a", "a b c")] == [0, 1, 3]


def test_what_a_database_cannot_hold_is_replaced() -> None:
    assert clean("a\0b\ud800c😀") == "a\ufffdb\ufffdc😀"
