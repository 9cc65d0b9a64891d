"""What is done for every byte or element of a page: compiled, where that is possible.

It takes a compiler and an lxml that fits. `_compiled` and `plain` do the same; only their speed
differs.
"""

try:
    from crawler.parse._compiled import find, indexes, is_utf8, scan
except ImportError:
    from crawler.parse.plain import find, indexes, is_utf8, scan

__all__ = ["find", "indexes", "is_utf8", "scan"]
