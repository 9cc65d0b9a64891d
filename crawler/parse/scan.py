"""What stands on a page, and what of it is shown: compiled, where that is possible.

It takes a compiler and an lxml that fits. `_scan_c` and `_scan_py` do the same; only their speed
differs. ``CRAWLER_PURE=1`` leaves the compiled one alone.
"""

import os

if os.environ.get("CRAWLER_PURE") == "1":
    from crawler.parse._scan_py import scan
else:
    try:
        from crawler.parse._scan_c import scan
    except ImportError:
        from crawler.parse._scan_py import scan

__all__ = ["scan"]
