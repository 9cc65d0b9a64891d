"""Who decides what happens next?

`Conductor` runs the greenlets. What passes between frontier and store is in `flow`, what has been
done so far in `account`, and whether to go on, to wait or to stop in `ending`, which is pure.
"""

from __future__ import annotations

from crawler.conductor.conductor import Conductor, Outcome

__all__ = ["Conductor", "Outcome"]
