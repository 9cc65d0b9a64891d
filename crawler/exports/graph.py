"""How do pages, or hosts, and the links between them become a graph that other tools draw?

GraphML, or GEXF 1.2 (Gephi, networkx). A node is a page that was fetched, or a host that is linked;
an edge says how many links lead from one to the other. Links of pages that are gone count no more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from itertools import groupby
from operator import itemgetter
from typing import Any, BinaryIO, Final

import msgspec
from lxml import etree

from crawler.exports.format import Export, Written
from crawler.plain import plain
from crawler.store.database import Connection, scratch

GRAPHML: Final = "http://graphml.graphdrawing.org/xmlns"
GEXF: Final = "http://www.gexf.net/1.2draft"


class Of(msgspec.Struct, frozen=True):
    """What nodes are. nodes: an id, a label and the attributes of each. edges: source, target and a
    number of links. attributes: with their types."""

    nodes: Iterable[tuple[Any, ...]]
    edges: Iterable[tuple[int, int, int]]
    attributes: tuple[tuple[str, str], ...]


_PAGES: Final = """
    SELECT pages.id, pages.url, pages.title, hosts.host, pages.status, pages.depth, pages.inlinks,
        pages.word_count, pages.link_score
    FROM {pages} AS pages
    LEFT JOIN hosts ON hosts.id = pages.host_id
    ORDER BY pages.id
"""
_LINKS: Final = """
    SELECT source_id, target_id, 1
    FROM current_links
    WHERE kind IN ('a', 'area')
        AND +source_id IN (SELECT id FROM {pages})
        AND +target_id IN (SELECT id FROM {pages})
    ORDER BY source_id
"""
OF_PAGES: Final = (
    *(("title", "string"), ("host", "string"), ("status", "int"), ("depth", "int")),
    *(("inlinks", "int"), ("word_count", "int"), ("link_score", "double")),
)
OF_HOSTS: Final = (("registered_domain", "string"), ("pages", "int"))
_LINKS_OF_HOSTS: Final = """
    SELECT source.host_id, target.host_id
    FROM current_links AS links
    CROSS JOIN {pages} AS source ON source.id = links.source_id
    CROSS JOIN urls AS target ON target.id = links.target_id
    WHERE links.kind IN ('a', 'area')
        AND source.host_id IS NOT NULL
        AND target.host_id IS NOT NULL
"""
_ALL_HOSTS: Final = """
    SELECT id, host, registered_domain, pages, id IN (SELECT host_id FROM {pages})
    FROM hosts
    ORDER BY id
"""
_PAIRS: Final = """
    CREATE TABLE pairs (
        source_id INTEGER,
        target_id INTEGER,
        links INTEGER NOT NULL,
        PRIMARY KEY (source_id, target_id)
    ) WITHOUT ROWID
"""
_COUNT_PAIR: Final = """
    INSERT INTO pairs
    VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET links = links + excluded.links
"""
_ENDS: Final = """
    CREATE TABLE ends AS
    SELECT source_id AS id FROM pairs UNION SELECT target_id FROM pairs
"""
AT_ONCE: Final = 100_000
"""Pairs of hosts that are counted in memory."""


def write(export: Export, out: BinaryIO) -> Written:
    """Write the graph."""
    of_hosts = export.options["nodes"] == "hosts"
    with _hosts(export) if of_hosts else nullcontext(_pages(export)) as of:
        count = _write(export, of, out)
    out.write(b"\n")
    return Written(count, "node")


def _write(export: Export, of: Of, out: BinaryIO) -> int:
    count = 0
    with etree.xmlfile(out, encoding="utf-8") as file:
        file.write_declaration()
        form = FORMS[export.format](file, of.attributes)
        with form.graph():
            with form.nodes():
                for row in export.counted(of.nodes):
                    form.node(*row)
                    count += 1
            with form.edges():
                for number, row in enumerate(of.edges):
                    form.edge(number, *row)
    return count


def _pages(export: Export) -> Of:
    pages = export.moment.subquery("pages", export.choice.where)
    ask = export.moment.connection.execute
    links = ask(_LINKS.format(pages=pages))
    return Of(ask(_PAGES.format(pages=pages)), _edges(export.counted(links)), OF_PAGES)


@contextmanager
def _hosts(export: Export) -> Iterator[Of]:
    """Which hosts link to which, and how often: counted in a file, since SQLite sorts in memory."""
    pages = export.moment.subquery("pages", export.choice.where)
    ask = export.moment.connection.execute
    with closing(scratch()) as place:
        place.execute(_PAIRS)
        counted: Counter[tuple[int, int]] = Counter()
        for pair in export.counted(ask(_LINKS_OF_HOSTS.format(pages=pages))):
            counted[pair] += 1
            if len(counted) >= AT_ONCE:
                _keep(place, counted)
        _keep(place, counted)
        place.execute(_ENDS)
        place.execute("CREATE INDEX ends_id ON ends(id)")
        nodes = (
            host
            for *host, has_pages in ask(_ALL_HOSTS.format(pages=pages))
            if has_pages or place.execute("SELECT 1 FROM ends WHERE id = ?", host[:1]).fetchone()
        )
        edges = place.execute("SELECT source_id, target_id, links FROM pairs ORDER BY 1, 2")
        yield Of(map(tuple, nodes), edges, OF_HOSTS)


def _keep(place: Connection, counted: Counter[tuple[int, int]]) -> None:
    place.executemany(_COUNT_PAIR, ((*pair, links) for pair, links in counted.items()))
    counted.clear()


def _edges(rows: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Source, target and the number of all links between them: a source has few targets, so that
    they are counted here and not sorted in a file of their own."""
    for source, members in groupby(rows, key=itemgetter(0)):
        counted: Counter[int] = Counter()
        for _, target, links in members:
            counted[target] += links
        for target, links in counted.items():
            yield source, target, links


class _GraphML:
    """Writes GraphML (http://graphml.graphdrawing.org/specification.html)."""

    def __init__(self, file: Any, attributes: Sequence[tuple[str, str]]) -> None:
        self._file = file
        self._keys = [("node", "label", "string"), *(("node", *one) for one in attributes)]
        self._keys.append(("edge", "weight", "int"))
        self._names = [name for of, name, _ in self._keys if of == "node"]

    @contextmanager
    def graph(self) -> Iterator[None]:
        """All of it."""
        with self._file.element("graphml", xmlns=GRAPHML):
            for of, name, kind in self._keys:
                key = {"id": name, "for": of, "attr.name": name, "attr.type": kind}
                self._file.write(etree.Element("key", key))
            with self._file.element("graph", edgedefault="directed"):
                yield

    @contextmanager
    def nodes(self) -> Iterator[None]:
        """Nodes and edges stand side by side."""
        yield

    edges = nodes

    def node(self, number: int, *values: Any) -> None:
        """A node: its label, then its attributes."""
        node = etree.Element("node", id=str(number))
        for name, value in zip(self._names, values, strict=True):
            if value is not None:
                etree.SubElement(node, "data", key=name).text = _said(value)
        self._file.write(node)

    def edge(self, number: int, source: int, target: int, links: int) -> None:
        """An edge."""
        edge = etree.Element("edge", id=f"e{number}", source=str(source), target=str(target))
        etree.SubElement(edge, "data", key="weight").text = str(links)
        self._file.write(edge)


class _Gexf:
    """Writes GEXF 1.2 (https://gexf.net/1.2/)."""

    def __init__(self, file: Any, attributes: Sequence[tuple[str, str]]) -> None:
        self._file = file
        self._attributes = [(name, {"int": "integer"}.get(kind, kind)) for name, kind in attributes]

    @contextmanager
    def graph(self) -> Iterator[None]:
        """All of it."""
        with (
            self._file.element("gexf", xmlns=GEXF, version="1.2"),
            self._file.element("graph", defaultedgetype="directed", mode="static"),
        ):
            declared = etree.Element("attributes", {"class": "node", "mode": "static"})
            for name, kind in self._attributes:
                etree.SubElement(declared, "attribute", id=name, title=name, type=kind)
            self._file.write(declared)
            yield

    @contextmanager
    def nodes(self) -> Iterator[None]:
        """All nodes."""
        with self._file.element("nodes"):
            yield

    @contextmanager
    def edges(self) -> Iterator[None]:
        """All edges."""
        with self._file.element("edges"):
            yield

    def node(self, number: int, label: str, *values: Any) -> None:
        """A node: its label, then its attributes."""
        node = etree.Element("node", id=str(number), label=_said(label))
        said = etree.SubElement(node, "attvalues")
        for (name, _), value in zip(self._attributes, values, strict=True):
            if value is not None:
                etree.SubElement(said, "attvalue", {"for": name}, value=_said(value))
        self._file.write(node)

    def edge(self, number: int, source: int, target: int, links: int) -> None:
        """An edge."""
        ends = {"source": str(source), "target": str(target), "weight": str(links)}
        self._file.write(etree.Element("edge", ends, id=str(number)))


def _said(value: Any) -> str:
    return plain(str(value))


FORMS: Final[dict[str, type[_GraphML | _Gexf]]] = {"graphml": _GraphML, "gexf": _Gexf}
