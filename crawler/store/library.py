"""How is sqlite-utils loaded, without what it brings along where it finds it?

It loads numpy and pandas for values of theirs, which nobody gives it here: 80 ms before the first
request where numpy is installed for the analysis.
"""

from __future__ import annotations

import sys

_ABSENT = [name for name in ("numpy", "pandas") if name not in sys.modules]
sys.modules.update(dict.fromkeys(_ABSENT))  # type: ignore[arg-type]  # None: it cannot be imported
try:
    from sqlite_utils import Database, Migrations
finally:
    for _name in _ABSENT:
        del sys.modules[_name]

__all__ = ["Database", "Migrations"]
