"""What does Scrapy take for the same site? Run as ``scrapy_peer.py START PAGES.jsonl``.

Its settings are those of a fair race: robots.txt obeyed, 32 requests at a time, no delay, every
link of the site followed once, a JSON line with URL, title and number of links for each page.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from urllib.parse import urljoin

import scrapy
from scrapy.crawler import CrawlerProcess
from scrapy.http import HtmlResponse, Response
from scrapy.linkextractors import LinkExtractor

SETTINGS = {
    "ROBOTSTXT_OBEY": True,
    "CONCURRENT_REQUESTS": 32,
    "CONCURRENT_REQUESTS_PER_DOMAIN": 32,
    "DOWNLOAD_DELAY": 0,
    "TELNETCONSOLE_ENABLED": False,
    "LOG_LEVEL": "ERROR",
}


class Site(scrapy.Spider):
    """Follows every link of one site."""

    name = "site"

    def __init__(self, start: str) -> None:
        super().__init__()
        self.start_urls = [start]
        self.extractor = LinkExtractor(allow="^" + re.escape(urljoin(start, "/")))

    def parse(self, response: Response) -> Iterator[object]:
        """Write a page down and follow its links."""
        if not isinstance(response, HtmlResponse):
            return
        links = self.extractor.extract_links(response)
        title = response.xpath("//title/text()").get()
        yield {"url": response.url, "title": title, "links": len(links)}
        for link in links:
            yield response.follow(link)


if __name__ == "__main__":
    start, pages = sys.argv[1:]
    process = CrawlerProcess({**SETTINGS, "FEEDS": {pages: {"format": "jsonlines"}}})
    process.crawl(Site, start=start)
    process.start()
