"""Is what the person asked for what holds, and is every slip named?"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from crawler.config import SECTIONS, Config, ExtractRule, Setting, default_toml, load
from crawler.errors import UsageError

ROOT = Path(__file__).parent.parent
Written = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes a configuration file and gives its path."""

    def write(text: str) -> Path:
        path = tmp_path / "site.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refusal(path: Path | None, *overrides: str) -> str:
    """The one line with which a configuration is refused."""
    with pytest.raises(UsageError) as caught:
        load(path, overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_nothing_said_means_the_defaults() -> None:
    assert load(None) == Config()


def test_the_shipped_file_is_the_defaults_as_they_stand_in_the_source() -> None:
    path = ROOT / "config" / "crawl.toml"
    assert path.read_text(encoding="utf-8") == default_toml(), (
        "config/crawl.toml is out of date; write what crawler.config.default_toml() gives into it"
    )
    assert load(path) == Config()


def test_every_setting_stands_in_the_shipped_file_under_a_comment_that_names_it() -> None:
    text = default_toml()
    for section, kind in SECTIONS.items():
        part = text.split(f"[{section}]\n")[1].split("\n[")[0]
        for field in msgspec.structs.fields(kind):
            assert re.search(rf"^# .*\b{field.name}\b.*:(.|\n)*^{field.name} = ", part, re.M)


def test_a_whole_number_and_the_same_with_a_point_are_one_configuration(written: Written) -> None:
    path = written("[robots]\ncrawl_delay_max_s = 60\n")
    assert msgspec.json.encode(load(path)) == msgspec.json.encode(load(None))


def test_flags_win_over_overrides_and_those_over_the_file(written: Written) -> None:
    path = written("[run]\nmax_pages = 1\nconcurrency = 2\nworkers = 3\n")
    flags = [Setting("--workers", "run.workers", 9)]
    config = load(path, ["run.concurrency=8", "run.workers=8"], flags)
    assert (config.run.max_pages, config.run.concurrency, config.run.workers) == (1, 8, 9)


def test_a_byte_order_mark_before_the_file_does_no_harm(written: Written) -> None:
    assert load(written("\ufeff[run]\nmax_pages = 4\n")).run.max_pages == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[fetch]\ntotal_s = "abc"', 'fetch.total_s: expected a number > 0, got "abc"'),
        ("[fetch]\ntotal_s = -1", "fetch.total_s: expected a number > 0, got -1"),
        ("[pace]\ngap_s = -0.5", "pace.gap_s: expected a number >= 0, got -0.5"),
        ("[pace]\ngap_s = nan", "pace.gap_s: expected a finite number, got NaN"),
        ("[run]\nmax_pages = 1.5", "run.max_pages: expected a whole number >= 0, got 1.5"),
        ("[run]\nmax_pages = true", "run.max_pages: expected a whole number >= 0, got true"),
        ("[robots]\nobey = 1", "robots.obey: expected true or false, got 1"),
        (
            '[scope]\nmode = "hots"',
            'scope.mode: expected one of "any", "domain", "host", "page", "prefix", got "hots"',
        ),
        ('[scope]\ninclude = "a"', 'scope.include: expected a list, each a text, got "a"'),
        (
            '[scope]\ncheck = ["images"]',
            'scope.check: expected a list, each one of "assets", "external", got ["images"]',
        ),
        ("[fetch]\ntotal_ss = 1", 'unknown key "fetch.total_ss" (did you mean "fetch.total_s"?)'),
        ("[fetsh]\ntotal_s = 1", 'unknown section "fetsh" (did you mean "fetch"?)'),
        ("max_pages = 1", 'unknown key "max_pages" (did you mean "run.max_pages"?)'),
        ("[scope]\nmax_pages = 1", 'unknown key "scope.max_pages" (did you mean "run.max_pages"?)'),
        (
            "[parse]\nzzz = 1",
            'unknown key "parse.zzz" (there are: max_links, max_seconds)',
        ),
        ("fetch = 1", "fetch is a section; set one of its keys"),
    ],
)
def test_a_wrong_setting_names_file_and_key(written: Written, text: str, message: str) -> None:
    path = written(text)
    assert refusal(path) == f"{path}: {message}"


@pytest.mark.parametrize("key", ["user_agent", "contact", "accept_language"])
@pytest.mark.parametrize("value", ["a\\nX-Admin: 1", "a\\u001b[2J", "caf\\u0444"])
def test_what_becomes_a_header_cannot_break_out_of_it(
    written: Written, key: str, value: str
) -> None:
    path = written(f'[fetch]\n{key} = "{value}"\n')
    message = refusal(path)
    assert message.startswith(f"{path}: fetch.{key}: expected one line of ASCII")
    assert message.isprintable()


def test_a_file_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    assert refusal(Path("/dev/zero")) == "/dev/zero: is larger than a configuration can be"


@pytest.mark.parametrize("digits", ["9" * 20, "1" * 5000, "-" + "1" * 5000])
@pytest.mark.parametrize("key", ["run.max_pages", "run.workers", "pace.gap_s"])
def test_a_number_without_end_is_refused_in_one_line(
    written: Written, key: str, digits: str
) -> None:
    section, _, name = key.partition(".")
    path = written(f"[{section}]\n{name} = {digits}\n")
    assert refusal(path).startswith(f"{path}: ")
    message = refusal(None, f"{key}={digits}")
    assert message.startswith(f"--set: {key}: expected a ")
    assert len(message) < 200


@pytest.mark.parametrize("token", ["my bot", "bot/1.0", "*", "b\u00f6t"])
def test_the_name_for_robots_is_one_that_a_file_can_hold(written: Written, token: str) -> None:
    path = written(f'[fetch]\nrobots_token = "{token}"\n')
    assert refusal(path).startswith(
        f"{path}: fetch.robots_token: expected letters, digits, - and _, got "
    )


@pytest.mark.parametrize("name", ["", "a=b", "a b", "a&b", "?a", "a*b", "*a*", "**"])
def test_a_parameter_to_take_out_is_a_name(written: Written, name: str) -> None:
    path = written(f'[scope]\nstrip_parameters = ["utm_*", "{name}"]\n')
    assert "scope.strip_parameters: expected the name of a parameter such as utm_*" in refusal(path)


def test_a_pattern_that_is_none_is_refused_before_the_crawl(written: Written) -> None:
    path = written('[scope]\nexclude = ["(unclosed"]\n')
    message = refusal(path)
    assert message.startswith(f'{path}: scope.exclude: "(unclosed" is not a regular expression')


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("(?=a)b", "look-around"),
        ("b(?!a)", "look-around"),
        ("(?<=a)b", "look-around"),
        ("(?<!a)b", "look-around"),
        (r"(a)\1", "back-references"),
        ("(?P<x>a)(?P=x)", "back-references"),
        ("(?>a+)b", "possessive or atomic matching"),
        ("a++b", "possessive or atomic matching"),
    ],
)
def test_what_could_take_for_ever_is_refused_by_name(
    written: Written, pattern: str, name: str
) -> None:
    path = written(f"[scope]\nexclude = ['fine', '{pattern}']\n")
    assert refusal(path) == (
        f"{path}: scope.exclude: {json.dumps(pattern)} uses {name}, "
        "which RE2 leaves out so that no pattern can hang a crawl"
    )


def test_an_empty_pattern_is_refused_since_it_would_match_everything(written: Written) -> None:
    path = written("[scope]\nexclude = ['']\n")
    assert refusal(path) == (
        f'{path}: scope.exclude: "" is an empty pattern, which matches every address'
    )


@pytest.mark.parametrize(
    "text",
    ["localhost", "wiki.intern.", "a_b.example", "127.0.0.1", "10.0.0.0/8", "[::1]", "fd00::/8"],
)
def test_a_host_of_ones_own_is_a_name_an_address_or_a_block(text: str) -> None:
    flag = Setting("--allow-private", "scope.allow_private", [text])
    assert load(None, flags=[flag]).scope.allow_private == (text,)


@pytest.mark.parametrize(
    "text",
    [
        *("nonsense/99", "10.0.0.0/33", "http://localhost/", "localhost:8080", "*.intern", ""),
        # WHATWG URL, "ends in a number": never the name of a host.
        *("999.1.1.1", "127.1", "host.0x7f"),
    ],
)
def test_what_no_host_can_be_is_not_allowed_in_silence(text: str) -> None:
    flag = Setting("--allow-private", "scope.allow_private", ["localhost", text])
    with pytest.raises(UsageError) as caught:
        load(None, flags=[flag])
    assert str(caught.value) == (
        "--allow-private: scope.allow_private: expected a host name, an address or a CIDR block "
        f'such as 192.168.0.0/16, got ["localhost", "{text}"]'
    )


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, written: Written) -> None:
    missing = tmp_path / "none.toml"
    assert refusal(missing) == f"{missing}: no such file"
    assert refusal(tmp_path).startswith(f"{tmp_path}: cannot be read")
    assert "is not TOML" in refusal(written("[run]\nmax_pages ="))
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    assert refusal(binary) == f"{binary}: is not UTF-8 text"


@pytest.mark.parametrize(
    ("override", "section", "name", "value"),
    [
        ("run.max_pages=5", "run", "max_pages", 5),
        ("fetch.total_s = 2.5", "fetch", "total_s", 2.5),
        ("robots.obey=false", "robots", "obey", False),
        ("scope.mode=domain", "scope", "mode", "domain"),
        ('scope.mode="domain"', "scope", "mode", "domain"),
        ("fetch.contact=me@example.org", "fetch", "contact", "me@example.org"),
        ("fetch.contact=2024", "fetch", "contact", "2024"),
        ("fetch.contact=", "fetch", "contact", ""),
        ('scope.include=["/a", "/b"]', "scope", "include", ("/a", "/b")),
        (r"scope.exclude=\.pdf$", "scope", "exclude", (r"\.pdf$",)),
        ("scope.exclude=2024", "scope", "exclude", ("2024",)),
    ],
)
def test_one_setting_on_the_command_line(
    override: str, section: str, name: str, value: object
) -> None:
    assert getattr(getattr(load(None, [override]), section), name) == value


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("run.max_pages=abc", '--set: run.max_pages: expected a whole number >= 0, got "abc"'),
        ("run.max_pages=", '--set: run.max_pages: expected a whole number >= 0, got ""'),
        ("run.max_page=3", '--set: unknown key "run.max_page" (did you mean "run.max_pages"?)'),
        ("run.max_pages", '--set "run.max_pages": write section.key=value'),
        (
            "fetch.read_s=1\ntotal_s=2",
            '--set: fetch.read_s: expected a number > 0, got "1\\ntotal_s=2"',
        ),
    ],
)
def test_a_wrong_setting_on_the_command_line_is_named(override: str, message: str) -> None:
    assert refusal(None, override) == message


def test_a_key_that_was_renamed_is_still_understood_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "old.toml"
    file.write_text("[pace]\npatience_s = 7\n")
    assert load(file).run.max_wait_s == 7
    assert load(None, ["pace.patience_s=8"]).run.max_wait_s == 8
    assert len(caplog.messages) == 2
    assert caplog.messages[0] == f"{file}: pace.patience_s is called run.max_wait_s now"


REFUSED_RULES = [
    ("", "expected a rule's keys"),
    ("css = 'a'\nxpath = '//a'", "not both"),
    ("type = 'text'", "write css or xpath"),
    ("css = 'a[['", "is no CSS selector"),
    ("css = 'h1::text'", "leave it out"),
    ("css = 'a::attr(href)'", 'attribute = "href"'),
    ("xpath = '//a['", "is no XPath"),
    ("xpath = 'nofunc(.)'", "Unregistered function"),
    ("xpath = 'foo:bar(.)'", "Undefined namespace"),
    ("xpath = '//h6[foo:bar(.)]'", "Undefined namespace prefix foo"),
    ("xpath = '//h6[matches(., 1)]'", "Unregistered function matches()"),
    ("css = '" + "a" * 3000 + "'", "longer than"),
    ("csss = 'a'", 'did you mean "css"?'),
    ("css = 'a'\nmany = 'yes'", "expected true or false"),
    ("css = 'a'\ntype = 'numbr'", "expected one of"),
    ("css = 'a'\ninclude = ['(']", "is not a regular expression"),
    ("css = 'a'\ninclude = ['']", "empty pattern"),
    ("css = 'a'\nsites = ['http://']", 'extract.price.sites: "http://": '),
    ("css = 'a'\nsites = 1", "expected a list, each a text"),
    ("css = 'a'\ntype = 'count'\nattribute = 'href'", "a count has no attribute"),
]


@pytest.mark.parametrize(("rule", "why"), REFUSED_RULES)
def test_a_rule_of_extraction_that_cannot_be_used_is_refused_by_name(
    written: Written, rule: str, why: str
) -> None:
    said = refusal(written(f"[extract.price]\n{rule}\n"))
    assert why in said
    assert "site.toml" in said
    assert "extract.price" in said


@pytest.mark.parametrize("name", ["2nd", "release-date", "page_id", "URL", "x" * 61, '""', '"é"'])
def test_the_name_of_a_rule_is_that_of_a_column(written: Written, name: str) -> None:
    assert "extract." in refusal(written(f"[extract.{name}]\ncss = 'a'\n"))


def test_rules_of_extraction_are_read_from_a_file_and_from_flags(written: Written) -> None:
    path = written("[extract.price]\ncss = '.price'\ntype = 'number'\n[extract.b]\nxpath = '//b'")
    rules = load(path, ["extract.price.css=#price", "extract.b.many=true"]).extract
    assert rules["price"] == ExtractRule(css="#price", type="number")
    assert rules["b"] == ExtractRule(xpath="//b", many=True)
    assert "same column" in refusal(path, "extract.Price.css=a")
    assert "expected rules" in refusal(written("extract = 5\n"))
    assert "did you mean" in refusal(written("[extrac.price]\ncss = 'a'\n"))
