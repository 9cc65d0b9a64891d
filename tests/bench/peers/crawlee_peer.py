"""What does crawlee-python take for the same site? Run as ``crawlee_peer.py START PAGES.txt``.

32 requests at a time, robots.txt obeyed, every link of the site followed once; the titles are read
and, as it keeps its data in memory here, thrown away. At the end the URLs of the pages are written
down.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from crawlee import ConcurrencySettings
from crawlee.crawlers import ParselCrawler, ParselCrawlingContext
from crawlee.storage_clients import MemoryStorageClient

AT_ONCE = 32


async def crawl(start: str) -> list[str]:
    """The URLs of the pages."""
    pages: dict[str, str | None] = {}
    crawler = ParselCrawler(
        storage_client=MemoryStorageClient(),
        respect_robots_txt_file=True,
        concurrency_settings=ConcurrencySettings(
            min_concurrency=AT_ONCE, desired_concurrency=AT_ONCE, max_concurrency=AT_ONCE
        ),
    )
    logging.getLogger("crawlee").setLevel(logging.ERROR)

    @crawler.router.default_handler
    async def handle(context: ParselCrawlingContext) -> None:
        if not context.http_response.headers.get("content-type", "").startswith("text/html"):
            return
        pages[context.request.url] = context.selector.xpath("//title/text()").get()
        await context.enqueue_links(strategy="same-origin")

    await crawler.run([start])
    return list(pages)


if __name__ == "__main__":
    start, pages = sys.argv[1:]
    Path(pages).write_text("\n".join(asyncio.run(crawl(start))) + "\n", encoding="utf-8")
