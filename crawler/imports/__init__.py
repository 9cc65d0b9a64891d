"""What do archives hold that others made, and how does it become a part of a crawl?

`run.bring` reads WARC and WACZ files (`records.py`), lets each answer go the way of one that was
just fetched (`replay.py`), and stores it (`store/archives.py`). Nothing is asked for.
"""

from __future__ import annotations
