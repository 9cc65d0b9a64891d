"""How does Scrapy crawl the same site, made to go on after a kill? Run by its own runspider.

    scrapy runspider scrapy_spider.py -a start=URL -s JOBDIR=FOLDER -o pages.jsonl

JOBDIR is what its documentation offers for crawls that are stopped and resumed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urljoin

import scrapy
from scrapy.http import Response
from scrapy.linkextractors import LinkExtractor


class Site(scrapy.Spider):
    """Follows every link of one site."""

    name = "site"
    custom_settings = {  # noqa: RUF012  # Scrapy's own convention
        "ROBOTSTXT_OBEY": True,
        "CONCURRENT_REQUESTS": 32,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 32,
        "DOWNLOAD_DELAY": 0,
        "TELNETCONSOLE_ENABLED": False,
        "LOG_LEVEL": "ERROR",
    }

    def __init__(self, start: str) -> None:
        super().__init__()
        self.start_urls = [start]
        self.extractor = LinkExtractor(allow="^" + re.escape(urljoin(start, "/")))

    def parse(self, response: Response) -> Iterator[object]:
        """Write a page down and follow its links."""
        yield {"url": response.url, "title": response.xpath("//title/text()").get()}
        for link in self.extractor.extract_links(response):
            yield response.follow(link)
