"""Is the crawler addressed by the name that it gives itself?"""

from __future__ import annotations

import pytest

from crawler import __version__
from crawler.config import FetchConfig
from crawler.policy.agent import robots_token, user_agent


@pytest.mark.parametrize(
    ("agent", "token"),
    [
        ("", "crawler"),
        ("mybot/1.0", "mybot"),
        ("My_Bot-2 (+https://example.org)", "my_bot-2"),
        ("Mozilla/5.0 (compatible; NewsBot/1.0)", "newsbot"),
        ("Mozilla/5.0 (compatible;NewsBot; +https://example.org/bot)", "newsbot"),
        (
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Newsbot/2.1; "
            "+http://example.org/) Chrome/120.0 Safari/537.36",
            "newsbot",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64)", "mozilla"),
        ("(nothing)", "crawler"),
    ],
)
def test_the_name_is_that_of_the_user_agent(agent: str, token: str) -> None:
    assert robots_token(FetchConfig(user_agent=agent)) == token


def test_the_name_can_be_set() -> None:
    config = FetchConfig(user_agent="Mozilla/5.0 (X11)", robots_token="NewsBot")
    assert robots_token(config) == "newsbot"


def test_who_gives_no_name_is_called_by_product_and_version() -> None:
    assert user_agent(FetchConfig()) == f"crawler/{__version__}"
    assert user_agent(FetchConfig(user_agent="a/1", contact="b@c.d")) == "a/1 (+b@c.d)"
