"""What do people see of a crawl?

Faces read, they never write: `progress` shows a run while it goes on, `summary` what it came to,
`table` what the database answers. Whatever strangers wrote passes `wording.plain` on its way to a
terminal.
"""

from __future__ import annotations
