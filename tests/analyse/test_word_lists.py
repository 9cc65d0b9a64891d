"""Are lists that were written down here those of whoever keeps them?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import language_tags
import pytest

from crawler.analyse.checks import language_codes, schema_org, structured

REGISTRY: list[dict[str, Any]] = json.loads(
    (Path(language_tags.__file__).parent / "data/json/registry.json").read_text()
)
"""That of IANA as of 2024-05-16, in language-tags 1.3.2:
https://www.iana.org/assignments/language-subtag-registry"""


def subtags(kind: str) -> dict[str, dict[str, Any]]:
    """Records of a kind by their subtag or tag, in lower case, but for ranges."""
    named = ((one.get("Subtag") or one.get("Tag"), one) for one in REGISTRY if one["Type"] == kind)
    return {name.lower(): one for name, one in named if ".." not in name}


def of_two_letters(kind: str) -> set[str]:
    return {name for name in subtags(kind) if len(name) == 2}


def current(kind: str) -> set[str]:
    return {name for name in of_two_letters(kind) if "Deprecated" not in subtags(kind)[name]}


def test_languages_and_regions_are_those_of_the_registry() -> None:
    assert of_two_letters("language") == language_codes.REGISTERED_LANGUAGES
    assert of_two_letters("region") == language_codes.REGISTERED_REGIONS
    # collections, which ISO 639-1 has withdrawn
    assert current("language") == language_codes.LANGUAGES | {"bh", "sh"}


def test_regions_of_iso_3166_are_current_ones_but_for_reserved_codes() -> None:
    reserved = "ac cp cq dg ea eu ez ic ta un"  # exceptionally
    private = {"aa", "zz"}  # user-assigned; QM..QZ and XA..XZ are ranges in the registry
    assert current("region") == language_codes.REGIONS | set(reserved.split()) | private


def test_tags_that_no_grammar_allows_are_those_of_the_registry() -> None:
    assert all(map(language_codes.is_language_tag, subtags("grandfathered")))
    assert not language_codes.is_language_tag("i-unknown")


def test_languages_are_joined_as_the_registry_joins_them() -> None:
    joined = {
        name: one["Macrolanguage"]
        for name, one in subtags("language").items()
        if one.get("Macrolanguage") in language_codes.MACROLANGUAGES and name not in ("id", "in")
    }
    assert {name: language_codes.macrolanguage(name) for name in joined} == joined
    told = {
        member: one
        for one, members in language_codes.MACROLANGUAGES.items()
        for member in members.split()
    }
    assert told == joined


@pytest.mark.parametrize(
    ("tag", "language"),
    [("nb-NO", "no"), ("zh-Hant", "zh"), ("EN_gb", "en"), ("iw", "he"), ("sr-Latn", "sh")],
)
def test_a_tag_is_told_by_the_language_that_it_is_of(tag: str, language: str) -> None:
    assert language_codes.macrolanguage(tag) == language


def test_names_of_rich_results_are_names_of_schema_org() -> None:
    known = schema_org.vocabulary()
    assert set(structured.REQUIRED) | set(structured.RETIRED) <= known.types
    properties = {name for groups in structured.REQUIRED.values() for one in groups for name in one}
    assert properties <= known.properties
