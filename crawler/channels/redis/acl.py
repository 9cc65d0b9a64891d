"""What should the engine let whom do?

Two users: conductors, which own what is in flight, and workers, which may read it, beat, and write
visits, and nothing else. A worker that somebody has taken over can then not empty the engine, give
out jobs, or read others' sessions of other programs.
"""

from __future__ import annotations

from typing import Final

KEYS: Final = "crawler:"
"""All keys begin so."""
_OFF: Final = "reset on resetchannels"
_COMMON: Final = "+ping +select +multi +exec +discard"
_READS: Final = "+get +exists +hget +hgetall +xread +xrange +xlen +xinfo|stream"
_WRITES: Final = "+set +del +unlink +expire +pexpire +hset +hdel +xadd +xtrim +xdel +watch +unwatch"
WORKER: Final = (
    f"{_OFF} %R~{KEYS}* {_COMMON} {_READS}"
    f" (%W~{KEYS}*:beats +hset +hdel)"
    f" (%RW~{KEYS}*:visits:* +xadd +expire +xinfo|stream)"
)
_LISTENS: Final = "+memory|usage +hscan +hstrlen"
CONDUCTOR: Final = f"{_OFF} ~{KEYS}* {_COMMON} +info {_READS} {_LISTENS} {_WRITES}"


def lines(password: str) -> tuple[str, ...]:
    """Commands for ``redis-cli`` that make both users. password: what stands in place of one."""
    return (
        f"ACL SETUSER crawler-conductor {_with(CONDUCTOR, password)}",
        f"ACL SETUSER crawler-worker {_with(WORKER, password)}",
    )


def _with(rules: str, password: str) -> str:
    # `reset` takes passwords away as well, so they stand behind it
    return rules.replace(_OFF, f"{_OFF} >{password}", 1)
