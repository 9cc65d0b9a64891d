"""Which parameters of an address name the campaign, and not the page?

They are reported here; what is taken out is said in `crawler.policy.stripped_parameters`.
"""

from __future__ import annotations

from typing import Final

TRACKING: Final = (
    *("utm_*", "gclid", "gbraid", "wbraid", "fbclid", "msclkid", "yclid", "_ga", "_gl"),
    *("mc_cid", "mc_eid"),
)
"""Names, at their end ``*`` for any rest."""


def is_tracked(url: str) -> str:
    """SQL that says whether the URL in this column has such a parameter."""
    query = f"lower('&' || substr({url}, instr({url}, '?') + 1))"
    patterns = (f"*&{name if name.endswith('*') else f'{name}='}*" for name in TRACKING)
    found = " OR ".join(f"{query} GLOB '{pattern}'" for pattern in patterns)
    return f"(instr({url}, '?') > 0 AND ({found}))"
