"""What is done for every byte or link of a document: compiled, where that is possible.

It takes a compiler. `_loops_c` and `_loops_py` do the same; only their speed differs.
``CRAWLER_PURE=1`` leaves the compiled one alone.
"""

import os

if os.environ.get("CRAWLER_PURE") == "1":
    from crawler.parse._loops_py import find, indexes, is_utf8
else:
    try:
        from crawler.parse._loops_c import find, indexes, is_utf8
    except ImportError:
        from crawler.parse._loops_py import find, indexes, is_utf8

__all__ = ["find", "indexes", "is_utf8"]
