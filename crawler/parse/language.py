"""In which language is a text written?

py3langid tells, where it is installed (``crawler[language]``): it is right of 98 % of texts, and
brings numpy and a model that takes half a second to load. Without it nobody tells.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, Final

PACKAGE: Final = "py3langid"
FEWEST_WORDS: Final = 20
FEWEST_CHARACTERS: Final = 100
"""Of less nobody can tell; in scripts without spaces, characters count."""
_MOST: Final = 2000
"""Characters that are looked at: 0.4 ms, a few hundred words."""


@lru_cache(maxsize=1)
def detector_name() -> str | None:
    """What would tell, with its version; None where it is not installed. Loads nothing."""
    return _named() if find_spec(PACKAGE) is not None else None


@lru_cache(maxsize=1)
def _named() -> str:
    return f"{PACKAGE} {version(PACKAGE)}"


@lru_cache(maxsize=1)
def load() -> Any:
    """The detector, ready, so that processes forked from this one need not load it; None where
    there is none."""
    if find_spec(PACKAGE) is None:
        return None
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def language_of(text: str) -> dict[str, object]:
    """Columns of ``facts``; a short text has none, though it was looked at."""
    detector = load()
    if detector is None:
        return {}
    by: dict[str, object] = {"language_by": _named()}
    if text.count(" ") < FEWEST_WORDS and len(text) < FEWEST_CHARACTERS:
        return by
    language, score = detector.classify(text[:_MOST])
    return {**by, "language": language, "language_score": round(score, 3)}
