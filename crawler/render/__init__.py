"""What does a browser show of a page? Reply -> Document, with what its scripts have made.

Chromium shows it, without any network of its own: what a page asks for is fetched by us, or
refused (`needs`). `program` starts it and takes its rights away, `pipe` speaks to it, `browser`
knows which of its tabs is which, `tab` lets time go by until a page is done, `renderer` is what a
worker calls, and `both` puts together what was sent and what was shown. Imported where pages are to
be shown, and nowhere else.
"""

from __future__ import annotations

from crawler.render.renderer import Renderer

__all__ = ["Renderer"]
