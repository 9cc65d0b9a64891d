"""What travels in columns comes out as it went in."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from crawler.model import Document, Link, LinkColumns

WORDS = st.none() | st.sampled_from(["", "a", "nofollow"])
LINKS = st.lists(
    st.builds(Link, st.integers(0, 9), st.sampled_from(["a", "img"]), WORDS, WORDS, st.booleans(),
              WORDS, WORDS)
)  # fmt: skip


@given(LINKS)
def test_links_come_out_of_their_columns_as_they_went_in(links: list[Link]) -> None:
    document = Document(columns=LinkColumns.of(links))
    sent = msgspec.msgpack.decode(msgspec.msgpack.encode(document), type=Document)
    assert list(sent.links) == links
    assert len(sent.columns) == len(links)


def test_a_column_of_nothing_is_empty() -> None:
    columns = LinkColumns.of([Link(0, "a", "here"), Link(1, "a", "")])
    assert columns == LinkColumns([0, 1], ["a", "a"], ["here", ""])
