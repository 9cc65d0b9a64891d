"""What is kept, and who writes it?

One writer: all changes go through `Writer`, which runs them in order on a thread of its own, so
that no commit, lock or slow disk stops the hub. `database` is the only module that knows SQLite.
"""

from __future__ import annotations
