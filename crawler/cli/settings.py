"""What holds for an address, by what a person has asked for?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from crawler.cli.group import cli, netrc_option, standard_output
from crawler.config import load
from crawler.errors import UsageError
from crawler.faces import settings
from crawler.policy.seeds import read_line
from crawler.policy.sites import Sites
from crawler.policy.urls import UrlRules

EXAMPLES = """\b
Examples:
  crawler settings https://example.org/ --config crawl.toml
  crawler settings example.org --set 'site."*.org".gap_s=5' --json
"""


@cli.command(name="settings", epilog=EXAMPLES)
@click.argument("url")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="Settings in TOML, as of crawler crawl.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="One setting; may be given again.",
)
@netrc_option
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object.")
def show_settings(
    url: str,
    config_file: Path | None,
    overrides: Sequence[str],
    netrc: Path | None,
    as_json: bool,
) -> None:
    """Tell what holds for a URL: every setting, its value, and the file and line that say so."""
    from crawler.config.provenance import origins  # few commands ask who said what

    config = load(config_file, overrides, netrc=netrc)
    seed = read_line(1, url, rules=UrlRules.of(config))
    if seed is None or seed.error is not None:
        raise UsageError(f"{seed.text if seed else url}: {seed.error if seed else 'no address'}")
    found = settings.held(Sites(config).of(seed.target.url), origins(config_file, overrides, netrc))
    with standard_output():
        if as_json:
            click.echo(json.dumps(settings.as_object(seed.target.url, found)))
            return
        click.echo(seed.target.url)
        for line in settings.lines(found):
            click.echo(line)
