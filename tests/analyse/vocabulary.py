"""Which types and properties does schema.org have?

    npm pack schema-dts@2.1.0 && tar xzf schema-dts-2.1.0.tgz
    python -m tests.analyse.vocabulary package/dist/schema.d.ts

writes ``crawler/analyse/checks/schema_org.txt.xz`` anew: a line of types, a line of properties. The
package is made from schema.org's own files by schema-dts-gen; what is only in its comments, and
names of other vocabularies that it takes in by their address, are left out.
"""

from __future__ import annotations

import lzma
import re
import sys
from pathlib import Path

from crawler.analyse.checks.schema_org import FILE

DATA_TYPES = (
    *("Boolean", "CssSelectorType", "DataType", "Date", "DateTime", "Float", "Integer", "Number"),
    *("PronounceableText", "Text", "Time", "URL", "XPathType"),
    *("Quantity", "Distance", "Duration", "Energy", "Mass"),
)
"""Types of values, of which the package makes types of its language."""
MERGED = ("constrainingProperty", "interactionCount", "measuredValue", "observedNode")
"""Properties that are superseded and that no type has any more; https://schema.org/measuredValue
and so on still tell of them."""


def read(declarations: str) -> str:
    """The text of the list."""
    types = {
        name for name in re.findall(r'"@type": "([^"]+)"', declarations) if "/" not in name
    } | set(DATA_TYPES)
    properties = set(re.findall(r'^    "(\w+)"\?:', declarations, re.MULTILINE)) | set(MERGED)
    return f"{' '.join(sorted(types))}\n{' '.join(sorted(properties))}\n"


if __name__ == "__main__":
    FILE.write_bytes(lzma.compress(read(Path(sys.argv[1]).read_text()).encode(), preset=9))
