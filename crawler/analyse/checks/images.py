"""Which images say nothing to those who do not see them, or make their page slow?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from crawler.analyse.check import Check, Found, Limits
from crawler.store.database import Connection

_BYTES: Final = """
    CASE
        WHEN visits.method = 'HEAD'
            THEN CAST(json_extract(visits.headers, '$."content-length"') AS INTEGER)
        ELSE visits.body_bytes
    END
"""
_IMAGES: Final = f"""
    images AS MATERIALIZED (
        SELECT visits.url_id, urls.url, visits.content_type, {_BYTES} AS bytes
        FROM visits
        JOIN urls ON urls.id = visits.url_id
        WHERE visits.content_type LIKE 'image/%'
            AND visits.status = 200
            AND visits.headers IS NOT NULL
            AND {_BYTES} > :bytes
            AND visits.id = (
                SELECT max(id)
                FROM visits AS latest
                WHERE latest.url_id = visits.url_id AND latest.headers IS NOT NULL
            )
    )
"""
"""Images that are large, with what the last whole answer said of them."""
_SHOWN: Final = "'img', 'srcset', 'media'"
_OLD: Final = f"""
    WITH {_IMAGES}
    SELECT links.source_id, images.url, images.content_type, images.bytes
    FROM images
    CROSS JOIN links ON links.target_id = images.url_id
    CROSS JOIN good_pages ON good_pages.id = links.source_id
    WHERE images.content_type IN ('image/jpeg', 'image/png', 'image/gif')
        AND links.kind IN ({_SHOWN})
    ORDER BY links.source_id, links.position
"""
_NEW: Final = """
    SELECT url
    FROM urls
    WHERE status = 200
        AND (url LIKE '%.webp' OR url LIKE '%.avif' OR url LIKE '%.jxl')
    ORDER BY url
"""


def _old_formats(connection: Connection, limits: Limits) -> Iterator[Found]:
    """Images that the site has in a smaller format, too: /a.jpg beside /a.webp or /a.jpg.webp."""
    smaller = {url.rpartition(".")[0]: url for (url,) in connection.execute(_NEW)}
    for page_id, url, content_type, size in connection.execute(_OLD, dict(limits)):
        sibling = smaller.get(url) or smaller.get(url.rpartition(".")[0])
        if sibling:
            evidence = {"bytes": size, "content_type": content_type, "also_at": sibling}
            yield page_id, url, evidence


def _images(condition: str, *evidence: str) -> str:
    """Images of indexable pages of which this holds. What is held of them is no text: that may be
    long."""
    columns = "".join(f", {name}" for name in evidence)
    return f"""
        WITH l AS MATERIALIZED (
            SELECT source_id, position
            FROM links
            WHERE kind = 'img' AND {condition}
        )
        SELECT l.source_id AS url_id, image.url AS item, links.anchor AS alt, l.position{columns}
        FROM l
        JOIN indexable_pages ON indexable_pages.id = l.source_id
        CROSS JOIN links ON links.source_id = l.source_id AND links.position = l.position
        CROSS JOIN urls AS image ON image.id = links.target_id
        ORDER BY l.source_id, l.position
    """


CHECKS: Final = (
    Check(
        name="image_alt_missing",
        severity="warning",
        definition="an image has no alt attribute; an empty one is right for what is mere ornament",
        sql=_images("anchor IS NULL"),
    ),
    Check(
        name="image_alt_empty_link",
        severity="warning",
        definition="an image with an empty alt is all that a link holds: nothing names the link",
        sql="""
            WITH unnamed AS MATERIALIZED (
                SELECT body_id, position
                FROM link_facts
                WHERE ' ' || flags || ' ' LIKE '% unnamed %'
                    AND ' ' || flags || ' ' LIKE '% alt_empty %'
            ),
            named AS MATERIALIZED (
                SELECT unnamed.body_id, unnamed.position
                FROM unnamed
                JOIN link_facts AS image
                    ON image.body_id = unnamed.body_id AND image.position = unnamed.position + 1
                WHERE ' ' || image.flags || ' ' LIKE '% alt_empty %'
            )
            SELECT indexable_pages.id AS url_id, image.url AS item, target.url AS leads_to,
                links.position
            FROM named
            JOIN indexable_pages ON indexable_pages.body_id = named.body_id
            CROSS JOIN links
                ON links.source_id = indexable_pages.id AND links.position = named.position
            CROSS JOIN links AS shown
                ON shown.source_id = links.source_id AND shown.position = links.position + 1
            CROSS JOIN urls AS target ON target.id = links.target_id
            CROSS JOIN urls AS image ON image.id = shown.target_id
            WHERE links.kind = 'a' AND shown.kind = 'img'
            ORDER BY indexable_pages.id, links.position
        """,
        needs=("facts",),
    ),
    Check(
        name="image_alt_long",
        severity="note",
        definition="an alt text is longer than a screen reader should read at one go",
        sql=_images("length(anchor) > :characters", "length(links.anchor) AS characters"),
        limits={"characters": 100},
    ),
    Check(
        name="image_alt_is_file",
        severity="note",
        definition="an alt text has the file name of the image in it",
        sql="""
            WITH shown AS MATERIALIZED (
                SELECT source_id, position
                FROM links
                WHERE kind = 'img' AND anchor <> ''
            ),
            bare AS (
                SELECT shown.source_id, shown.position, links.anchor AS alt, urls.url,
                    replace(substr(urls.url, 1, instr(urls.url || '?', '?') - 1), '%20', ' ')
                        AS bare
                FROM shown
                CROSS JOIN links
                    ON links.source_id = shown.source_id AND links.position = shown.position
                CROSS JOIN urls ON urls.id = links.target_id
            ),
            files AS (
                SELECT source_id, position, alt, url,
                    lower(replace(bare, rtrim(bare, replace(bare, '/', '')), '')) AS file
                FROM bare
            )
            SELECT files.source_id AS url_id, files.url AS item, files.alt, files.file,
                files.position
            FROM files
            CROSS JOIN indexable_pages ON indexable_pages.id = files.source_id
            WHERE instr(files.file, '.') > 0
                AND (
                    instr(lower(files.alt), files.file) > 0
                    OR (
                        lower(trim(files.alt))
                            = rtrim(rtrim(files.file, replace(files.file, '.', '')), '.')
                        AND rtrim(rtrim(files.file, replace(files.file, '.', '')), '.')
                            GLOB '*[-_0-9]*'
                    )
                )
            ORDER BY files.source_id, files.position
        """,
    ),
    Check(
        name="image_no_size",
        severity="note",
        definition="an image does not say its width and height, so that the page jumps",
        sql="""
            WITH l AS MATERIALIZED (
                SELECT source_id, position, target_id
                FROM links
                WHERE kind = 'img'
            )
            SELECT l.source_id AS url_id, image.url AS item, link_facts.width,
                link_facts.height, l.position
            FROM l
            JOIN indexable_pages ON indexable_pages.id = l.source_id
            JOIN facts ON facts.body_id = indexable_pages.body_id AND facts.error IS NULL
            JOIN urls AS image ON image.id = l.target_id
            LEFT JOIN link_facts
                ON link_facts.body_id = facts.body_id AND link_facts.position = l.position
            WHERE coalesce(trim(link_facts.width), '') = ''
                OR coalesce(trim(link_facts.height), '') = ''
            ORDER BY l.source_id, l.position
        """,
        needs=("facts",),
    ),
    Check(
        name="image_large",
        severity="note",
        definition="a page shows an image of very many bytes",
        sql=f"""
            WITH {_IMAGES}
            SELECT links.source_id AS url_id, images.url AS item, images.bytes,
                images.content_type
            FROM images
            CROSS JOIN links ON links.target_id = images.url_id
            CROSS JOIN good_pages ON good_pages.id = links.source_id
            WHERE links.kind IN ({_SHOWN})
        """,
        limits={"bytes": 100_000},
        needs=("assets",),
    ),
    Check(
        name="image_old_format",
        severity="note",
        definition="a page shows a large JPEG, PNG or GIF that its site has in a newer format, too",
        find=_old_formats,
        limits={"bytes": 100_000},
        needs=("assets",),
    ),
    Check(
        name="image_first_lazy",
        severity="note",
        definition="the first image of the main region waits to be scrolled to (loading=lazy)",
        sql="""
            SELECT indexable_pages.id AS url_id, image.url AS item, link_facts.loading
            FROM link_facts
            JOIN indexable_pages ON indexable_pages.body_id = link_facts.body_id
            CROSS JOIN links
                ON links.source_id = indexable_pages.id AND links.position = link_facts.position
            CROSS JOIN urls AS image ON image.id = links.target_id
            WHERE lower(trim(link_facts.loading)) = 'lazy'
                AND ' ' || link_facts.flags || ' ' LIKE '% first_image %'
        """,
        needs=("facts",),
    ),
    Check(
        name="picture_without_img",
        severity="warning",
        definition="a picture element has no img in it, so that nothing is shown",
        sql="""
            SELECT indexable_pages.id AS url_id, facts.pictures_empty AS pictures
            FROM indexable_pages
            JOIN facts ON facts.body_id = indexable_pages.body_id
            WHERE facts.pictures_empty > 0
        """,
        needs=("facts",),
    ),
)
