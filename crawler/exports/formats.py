"""Which formats are there, and what does each take?

The rows of one table: nothing of a format is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crawler.exports.format import Format, Into, Option

ROWS: Final = ("table", "query", "sql", "where", "run")
"""What formats take that write rows, whichever they are."""

OPTIONS: Final = (
    Option("table", "The rows of a table.  [default: pages]", value="NAME"),
    Option("query", "The rows of a question, as crawler query lists them.", value="NAME"),
    Option("sql", "The rows of a SELECT.", value="SELECT"),
    Option("where", "Only rows for which this holds, such as 'status = 404'.", value="SQL"),
    Option("run", "Only what is of this run; pages as it left them.", value="N", number=True),
    Option("raw", "Leave cells that a spreadsheet would run as formulas as they are."),
    Option("state", "URLs of this state: queued, done, failed or skipped.", value="WORD"),
    Option("reason", "URLs that failed or were skipped for this reason.", value="WORD"),
    Option("nodes", "What a node is.  [default: pages]", value="WHAT", choices=("pages", "hosts")),
    Option("host", "Only this host, and those below it; may be repeated.", value="NAME", many=True),
    Option("without-bodies", "Leave the bytes of pages out; texts and facts stay."),
    Option(
        "sheet",
        "One more sheet, of this table or question; may be repeated.",
        value="NAME",
        many=True,
    ),
    Option("by-run", "A folder with a part for each run, as Hive has it.", into=Into.FOLDER),
    Option("bom", "Begin with a byte order mark, by which Excel knows UTF-8."),
    Option("jsonl", "One file with a JSON object a page.", into=Into.STREAM),
    Option(
        "max-size",
        "Files of at most about so much, such as 1G, in a folder.",
        value="SIZE",
        into=Into.FOLDER,
    ),
)
"""Every option of every format; what several take, stands here once."""

FORMATS: Final = {
    one.name: one
    for one in (
        Format(
            "csv",
            "Rows with a head, for spreadsheets; no cell is a formula.",
            "crawler.exports.delimited",
            ".csv",
            takes=(*ROWS, "raw", "bom"),
            text=True,
        ),
        Format(
            "tsv",
            "The same with tabs between the cells.",
            "crawler.exports.delimited",
            ".tsv",
            takes=(*ROWS, "raw", "bom"),
            text=True,
        ),
        Format(
            "jsonl",
            "A JSON object a row, each on a line of its own.",
            "crawler.exports.json_lines",
            ".jsonl",
            takes=ROWS,
            text=True,
        ),
        Format(
            "xlsx",
            "A workbook: findings, a sheet a group, or rows; links can be clicked.",
            "crawler.exports.xlsx",
            ".xlsx",
            into=Into.FILE,
            takes=(*ROWS, "sheet"),
            extra="xlsx",
            needs=("xlsxwriter",),
        ),
        Format(
            "parquet",
            "Rows with their types, for notebooks; times are timestamps.",
            "crawler.exports.parquet",
            ".parquet",
            takes=(*ROWS, "by-run"),
            extra="parquet",
            needs=("pyarrow",),
            several=True,
            knows=True,
        ),
        Format(
            "sqlite",
            "A smaller file of the same kind: some hosts, one run, no bodies.",
            "crawler.exports.sqlite",
            ".sqlite",
            into=Into.FILE,
            takes=("host", "run", "without-bodies"),
        ),
        Format(
            "urls",
            "A plain list of addresses, of all or of a state or a reason.",
            "crawler.exports.urls",
            ".txt",
            takes=("state", "reason", "where", "run"),
            text=True,
        ),
        Format(
            "robots",
            "What each robots.txt said, and what was made of it.",
            "crawler.exports.robots",
            ".robots.txt",
            takes=("where",),
            text=True,
        ),
        Format(
            "rss",
            "A feed of what changed in the last run, or in one.",
            "crawler.exports.rss",
            ".rss",
            takes=("where", "run"),
            text=True,
        ),
        Format(
            "sitemap",
            "Sitemaps of the pages that may be indexed, by the protocol's limits.",
            "crawler.exports.sitemap",
            ".sitemap",
            into=Into.FOLDER,
            takes=("where",),
        ),
        Format(
            "graphml",
            "Pages or hosts and the links between them, for tools that draw graphs.",
            "crawler.exports.graph",
            ".graphml",
            takes=("nodes", "where"),
            text=True,
        ),
        Format(
            "gexf",
            "The same for Gephi.",
            "crawler.exports.graph",
            ".gexf",
            takes=("nodes", "where"),
            text=True,
        ),
        Format(
            "markdown",
            "What pages say, for people and language models: a file a page.",
            "crawler.exports.markdown",
            ".markdown",
            into=Into.FOLDER,
            takes=("where", "run", "jsonl"),
            extra="markdown",
            needs=("html_to_markdown",),
            text=True,
        ),
        Format(
            "mirror",
            "A folder that opens from a disk: its links lead to files, pages are as a browser"
            " showed them where one did.",
            "crawler.exports.mirror",
            "-mirror",
            into=Into.FOLDER,
            takes=("where",),
        ),
        Format(
            "warc",
            "Requests and answers in an archive, for whatever replays it; those of a browser, too.",
            "crawler.exports.warc",
            ".warc.gz",
            takes=("where", "run", "max-size"),
        ),
        Format(
            "wacz",
            "The same in one file with an index and texts, for ReplayWeb.page.",
            "crawler.exports.wacz",
            ".wacz",
            takes=("where", "run"),
        ),
    )
}
"""By name, in the order of the help."""


def into(format: Format, options: Mapping[str, object]) -> Into:
    """What is written under these options."""
    said = [one.into for one in OPTIONS if one.into is not None and options.get(one.key)]
    return said[0] if said else format.into
