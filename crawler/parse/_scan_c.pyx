# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The same as `_scan_py`, from what libxml2's parser tells while it reads, without a tree.

The library is lxml's own: lxml brings the declarations of its libxml2 for that
(https://lxml.de/capi.html), and the functions are looked up in its module. What is found and shown
is said in `elements` and `text`; here it is only done faster. Both must give the same of every
document: tests/parse/test_compiled.py holds them against each other.
"""

from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_DecodeUTF8
from libc.limits cimport INT_MAX
from libc.stdint cimport uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memset, strcmp, strlen
from lxml.includes.htmlparser cimport HTML_PARSE_NONET, HTML_PARSE_RECOVER
from lxml.includes.tree cimport const_xmlChar, xmlDoc
from lxml.includes.xmlerror cimport (
    XML_ERR_NO_MEMORY,
    XML_ERR_RESOURCE_LIMIT,
    xmlError,
    xmlStructuredErrorFunc,
)
from lxml.includes.xmlparser cimport (
    XML_PARSE_HUGE,
    XML_SAX2_MAGIC,
    charactersSAXFunc,
    endElementSAXFunc,
    startElementSAXFunc,
    xmlParserCtxt,
    xmlSAXHandler,
)
from posix.dlfcn cimport RTLD_NOW, dlopen, dlsym

import os
import sys

from lxml import etree

from crawler.parse.elements import (
    HANDLERS,
    LANDMARKS,
    MAX_ANCHOR,
    PLAIN,
    ROLE_HOLDERS,
    ROLES,
    SHADOWS,
    Survey,
)
from crawler.parse.text import BLOCKS, HIDDEN, MAX_FACT, count_words, fact, fold
from crawler.policy.agent import PRODUCT
from crawler.policy.urls import MAX_KEPT_URL

cdef extern from "libxml/xmlversion.h":
    int LIBXML_VERSION
ctypedef xmlParserCtxt* (*NewContext)(const xmlSAXHandler* sax, void* user_data) noexcept
ctypedef xmlDoc* (*ReadMemory)(
    xmlParserCtxt* context,
    const char* data,
    int length,
    const char* url,
    const char* encoding,
    int options,
) noexcept
ctypedef void (*OnContext)(xmlParserCtxt* context) noexcept


cdef void* _function(const char* name) except NULL:
    """A function of the libxml2 that lxml has loaded."""
    cdef void* library = dlopen(os.fsencode(etree.__file__), RTLD_NOW)
    cdef void* function = NULL if library is NULL else dlsym(library, name)
    if function is NULL:
        raise ImportError(f"lxml does not show its {name.decode()}")
    return function


if etree.LIBXML_VERSION < (2, 14):
    raise ImportError("before libxml2 2.14, what is told depends on the tree that is being built")
if etree.LIBXML_VERSION[:2] != (LIBXML_VERSION // 10000, LIBXML_VERSION // 100 % 100):
    raise ImportError("compiled for another libxml2: make anew")
cdef NewContext _new_context = <NewContext>_function("htmlNewSAXParserCtxt")
cdef ReadMemory _read_memory = <ReadMemory>_function("htmlCtxtReadMemory")
cdef OnContext _stop = <OnContext>_function("xmlStopParser")
cdef OnContext _free_context = <OnContext>_function("htmlFreeParserCtxt")

cdef enum:
    OPTIONS = HTML_PARSE_RECOVER | HTML_PARSE_NONET | XML_PARSE_HUGE
    SLOTS = 1024
    # Elements within each other; what comes near the limit of a tree, 2048, is for `_scan_py` to judge.
    DEEPEST = 2000
    # what an element is: to the text, and from ANCHOR on to the survey
    BLOCK = 1
    NOTHING = 2
    IMAGE = 4
    SVG = 8
    ANCHOR = 16
    TITLE = 32
    HEADING = 64
    REGION = 128
    # an anchor that leads somewhere, a region that has a name
    COUNTS = 256
    # what is in it is no part of the page
    TEMPLATE = 512
    # times the place of its handler, counted from 1
    HANDLER = 1024


cdef class Names:
    """A number for each of some names, 0 for all others."""

    cdef list _kept
    cdef const char* _chars[SLOTS]
    cdef Py_ssize_t _lengths[SLOTS]
    cdef int _numbers[SLOTS]

    def __cinit__(self, numbers):
        self._kept = []
        for name, number in numbers.items():
            self._put(name.encode(), number)

    cdef _put(self, bytes name, int number):
        cdef const char* chars = name
        cdef size_t slot = _slot(chars, len(name))
        while self._chars[slot] is not NULL:
            slot = (slot + 1) % SLOTS
        self._kept.append(name)
        self._chars[slot] = chars
        self._lengths[slot] = len(name)
        self._numbers[slot] = number

    cdef int of(self, const char* name) noexcept:
        cdef Py_ssize_t length
        cdef size_t slot
        if name is NULL:
            return 0
        length = strlen(name)
        slot = _slot(name, length)
        while self._chars[slot] is not NULL:
            if self._lengths[slot] == length and not memcmp(self._chars[slot], name, length):
                return self._numbers[slot]
            slot = (slot + 1) % SLOTS
        return 0


cdef inline size_t _slot(const char* name, Py_ssize_t length) noexcept:
    """Of an element's name: first, second and last character and length tell most apart."""
    cdef size_t number
    if length == 0:
        return 0
    number = <unsigned char>name[0] * 31 + <unsigned char>name[length - 1] * 7 + length
    if length > 1:
        number += <unsigned char>name[1] * 131
    return number % SLOTS


cdef enum:
    WORD = sizeof(uint64_t)
cdef extern from *:
    """
    #define EACH(byte) (0x0101010101010101ULL * (byte))
    """
    uint64_t EACH(int byte) noexcept
cdef bint _LITTLE = sys.byteorder == "little"


cdef inline uint64_t _zeros(uint64_t word) noexcept:
    """The high bit of each byte that is 0 (Warren, Hacker's Delight, section 6-1)."""
    return ~(((word & EACH(0x7F)) + EACH(0x7F)) | word | EACH(0x7F))


cdef class Folding:
    """Text with the white space of XML folded to single spaces, none at its ends.

    spaces: how many it has. odd: something came that is neither ASCII nor white space of XML, or is a
    control character.
    """

    cdef char* _chars
    cdef size_t _length
    cdef size_t _room
    cdef bint _gap
    cdef size_t spaces
    cdef bint odd

    def __dealloc__(self):
        free(self._chars)

    cdef void clear(self) noexcept:
        self._length = 0
        self._gap = False
        self.spaces = 0
        self.odd = False

    cdef inline void gap(self) noexcept:
        self._gap = True

    cdef int add(self, const char* text, size_t length) except -1:
        """Eight characters at a time as long as no two of them need folding."""
        cdef size_t done = 0
        cdef size_t at
        cdef uint64_t word, spaces
        cdef uint64_t high = 0
        self._reserve(self._length + length + 1 + WORD)
        while done + WORD <= length and _LITTLE:
            memcpy(&word, text + done, WORD)
            spaces = _zeros(word ^ EACH(0x20))
            if (
                _zeros(word & EACH(0xE0))
                or spaces & (spaces << 8)
                or (spaces & 0x80 and (self._gap or not self._length))
            ):
                self._add_slowly(text + done, WORD)
            else:
                at = self._length
                if self._gap and at:
                    self._chars[at] = 32
                    self.spaces += 1
                    at += 1
                self._gap = spaces >> 63
                memcpy(self._chars + at, &word, WORD)
                self._length = at + WORD - self._gap
                self.spaces += (((spaces >> 7) * EACH(1)) >> 56) - self._gap
                high |= word
            done += WORD
        self._add_slowly(text + done, length - done)
        if high & EACH(0x80):
            self.odd = True
        return 0

    cdef void _add_slowly(self, const char* text, size_t length) noexcept:
        cdef size_t i
        cdef unsigned char char
        for i in range(length):
            char = <unsigned char>text[i]
            if char == 32 or char == 10 or char == 9 or char == 13:
                self._gap = True
                continue
            if self._gap:
                self._gap = False
                if self._length:
                    self._chars[self._length] = 32
                    self._length += 1
                    self.spaces += 1
            self._chars[self._length] = <char>char
            self._length += 1
            if char < 32 or char >= 128:
                self.odd = True

    cdef int _reserve(self, size_t wanted) except -1:
        cdef char* room
        if wanted > self._room:
            wanted += wanted // 2 + 256
            room = <char*>realloc(self._chars, wanted)
            if room is NULL:
                raise MemoryError
            self._chars = room
            self._room = wanted
        return 0

    cdef str text(self):
        return PyUnicode_DecodeUTF8(self._chars, self._length, NULL) if self._length else ""

    cdef str start(self, Py_ssize_t limit):
        """The first characters, as `fact` gives them."""
        cdef str text = self.text()
        if self.odd and self._may_have_other_spaces():
            text = fact(text)
        return text[:limit] if len(text) > limit else text

    cdef bint _may_have_other_spaces(self) noexcept:
        """Is there anything that may be white space to `fact` alone?

        Control characters, and what begins with the bytes of U+0080 to U+00A0, U+1680, U+2000 to
        U+206F and U+3000.
        """
        cdef size_t i
        cdef unsigned char first, second
        for i in range(self._length):
            first = <unsigned char>self._chars[i]
            if first < 32:
                return True
            if first < 0xC2 or first > 0xE3 or i + 1 == self._length:
                continue
            second = <unsigned char>self._chars[i + 1]
            if (
                (first == 0xC2 and second <= 0xA0)
                or (first == 0xE1 and second == 0x9A)
                or (first == 0xE2 and (second == 0x80 or second == 0x81))
                or (first == 0xE3 and second == 0x80)
            ):
                return True
        return False


cdef list _HANDLERS = list(HANDLERS.values())
cdef list _REGION_NAMES = [None, *dict.fromkeys((*ROLES.values(), *LANDMARKS.values()))]
cdef Names _ROLES = Names({role: _REGION_NAMES.index(name) for role, name in ROLES.items()})
cdef Names _LANDMARKS = Names(
    {tag: _REGION_NAMES.index(name) for tag, name in LANDMARKS.items()}
)


def _elements():
    """What each element is that is more than a part of a line."""
    elements = {"img": IMAGE, "a": ANCHOR, "title": TITLE, "h1": HEADING, "svg": SVG, "template": TEMPLATE}
    for names, what in (
        (BLOCKS, BLOCK),
        (HIDDEN, NOTHING),
        ((*LANDMARKS, *ROLE_HOLDERS), REGION),
    ):
        for name in names:
            elements[name] = elements.get(name, 0) | what
    for place, name in enumerate(HANDLERS):
        elements[name] = elements.get(name, 0) | HANDLER * (place + 1)
    return elements


cdef object _SHADOWS = SHADOWS
cdef object _no_memory = MemoryError()
cdef Names _ELEMENTS = Names(_elements())
cdef Py_ssize_t _MAX_ANCHOR = MAX_ANCHOR
cdef Py_ssize_t _MAX_FACT = MAX_FACT
cdef Py_ssize_t _MAX_KEPT_URL = MAX_KEPT_URL
cdef bint _PLAIN[256]
for _char in range(256):
    _PLAIN[_char] = PLAIN.fullmatch(chr(_char)) is not None


def scan(bytes data not None, Py_ssize_t max_links, str robot not None=PRODUCT):
    """As `_scan_py.scan`, whose words these are."""
    cdef Reading reading = Reading(max_links, robot)
    reading.read(data)
    if reading.unfit:
        from crawler.parse import _scan_py

        return _scan_py.scan(data, max_links, robot)
    return reading.survey


cdef class Reading:
    """A survey while its page is being read.

    unfit: nothing more is noted. Where nothing went wrong, this page is one for `_scan_py`: too deep,
    too large, without elements, or beyond another limit of libxml2.
    """

    cdef object survey
    cdef bint unfit
    cdef xmlParserCtxt* _context
    cdef object _failure
    cdef bint _looking
    cdef bint _plain
    cdef Py_ssize_t _max_links
    cdef list _kinds, _texts, _fragments, _anchors, _rels
    # the place of the link that was noted last, before the columns were cut
    cdef Py_ssize_t _link
    # what is open
    cdef int _depth
    cdef int _open[DEEPEST]
    cdef bint _begun
    cdef int _svgs
    cdef int _templates
    # the text of the page, of its title and of its first heading, and the depth of these, 0 while
    # they are not open
    cdef Folding _page, _title, _heading
    cdef int _title_at, _heading_at
    cdef int _hidden, _heading_hidden
    # Of anchors within anchors, a text is the innermost's.
    cdef int _nesting
    cdef Py_ssize_t _anchor_link[DEEPEST]
    cdef int _anchor_hidden[DEEPEST]
    cdef list _anchor_texts
    cdef Folding _anchor

    def __cinit__(self, Py_ssize_t max_links, str robot):
        self.survey = survey = Survey(robot)
        self._max_links = max_links
        self._kinds, self._texts, self._fragments = survey.kinds, survey.texts, survey.fragments
        self._anchors, self._rels = survey.anchors, survey.rels
        self._looking = self._plain = True
        self._page, self._title, self._heading = Folding(), Folding(), Folding()
        self._anchor_texts = []

    cdef read(self, bytes data):
        cdef xmlSAXHandler sax
        if len(data) > INT_MAX:
            self.unfit = True
            return
        memset(&sax, 0, sizeof(sax))
        sax.initialized = XML_SAX2_MAGIC
        # Declared for parsers that let go of the interpreter; this one keeps it.
        sax.startElement = <startElementSAXFunc><void*>_on_start
        sax.endElement = <endElementSAXFunc><void*>_on_end
        sax.characters = <charactersSAXFunc><void*>_on_text
        sax.serror = <xmlStructuredErrorFunc><void*>_on_error
        self._context = _new_context(&sax, <void*>self)
        if self._context is NULL:
            raise MemoryError
        try:
            _read_memory(self._context, data, len(data), NULL, "UTF-8", OPTIONS)
        finally:
            _free_context(self._context)
        if self._failure is not None:
            raise self._failure
        self.unfit = self.unfit or not self._begun
        if not self.unfit:
            self._end_survey()

    cdef _end_survey(self):
        if self._looking:
            self._stop_looking()
        text = self._page.text()
        if self._page.odd and ("\xa0" in text or "\f" in text or "\u3000" in text):
            text = fold(text)
            self.survey.words = count_words(text)
        elif text:
            PyUnicode_AsUTF8AndSize(text, NULL)  # once, for a hash, a frame and a row
            self.survey.words = self._page.spaces + 1
        self.survey.text = text

    cdef int fail(self, failure) except -1:
        """Read no more; what is told before the parser has returned means nothing.

        failure: raised then; None leaves the page to `_scan_py`.
        """
        if self._failure is None:
            self._failure = failure
        self.unfit = True
        _stop(self._context)
        return 0

    cdef int start(self, const char* name, const char** attributes) except -1:
        cdef int what
        if self.unfit:
            return 0
        what = _ELEMENTS.of(name)
        if what & TEMPLATE and _attribute(attributes, "shadowrootmode") in _SHADOWS:
            what = 0
        if self._depth == DEEPEST:
            self.fail(None)
            return 0
        if not self._begun:
            self._begun = True
            self.survey.lang = _attribute(attributes, "lang") or _attribute(attributes, "xml:lang")
        if what >= ANCHOR and self._looking and not self._templates:
            what = self._look(what, name, attributes)
        self._open[self._depth] = what
        self._depth += 1
        if what:
            self._show(what, attributes)
        return 0

    cdef int _look(self, int what, const char* name, const char** attributes) except -1:
        """Note where this element leads and what it tells of the page; what it is, with `COUNTS`."""
        cdef const char* address
        if what & ANCHOR:
            address = _value(attributes, "href")
            if address is NULL:
                address = _value(attributes, "xlink:href")
            if address is not NULL:
                self._kinds.append("a")
                if not _split(address, self._texts, self._fragments):
                    self._plain = False
                self._anchors.append(None)
                self._rels.append(_attribute(attributes, "rel"))
                what |= COUNTS
                self._link = len(self._texts) - 1
        elif what >= HANDLER:
            _HANDLERS[what // HANDLER - 1](self.survey, _all(attributes))
        elif what & TITLE:
            if self.survey.title is None and not self._svgs and not self._title_at:
                self._title_at = self._depth + 1
        elif what & HEADING:
            if not self.survey.h1 and not self._heading_at:
                self._heading.clear()
                self._heading_at = self._depth + 1
                self._heading_hidden = 0
        elif what & REGION:
            region = _region(name, attributes)
            if region is not None:
                self.survey.enter(region)
                what |= COUNTS
        if len(self._texts) > self._max_links:
            self._stop_looking()
        return what

    cdef int _stop_looking(self) except -1:
        if not self._plain:
            self.survey.plain = False
        self.survey.end(self._max_links)
        self._looking = False
        return 0

    cdef int _show(self, int what, const char** attributes) except -1:
        """What does this element do to the texts around it?"""
        if what & BLOCK:
            self._gap()
        elif what & NOTHING:
            if what & TEMPLATE:
                self._templates += 1
            self._hidden += 1
            self._heading_hidden += 1
            if self._nesting:
                self._anchor_hidden[self._nesting - 1] += 1
        elif what & IMAGE:
            self._add_alt(attributes)
        elif what & ANCHOR:
            self._open_anchor(what & COUNTS)
        elif what & SVG:
            self._svgs += 1
        return 0

    cdef void _gap(self) noexcept:
        if not self._hidden:
            self._page.gap()
        if self._heading_at and not self._heading_hidden:
            self._heading.gap()
        if self._anchor is not None and not self._anchor_hidden[self._nesting - 1]:
            self._anchor.gap()

    cdef int _add_alt(self, const char** attributes) except -1:
        cdef const char* alt = _value(attributes, "alt")
        if self._heading_at and not self._heading_hidden:
            _add_apart(self._heading, alt)
        if self._anchor is not None and not self._anchor_hidden[self._nesting - 1]:
            _add_apart(self._anchor, alt)
        return 0

    cdef int _open_anchor(self, bint leads) except -1:
        cdef int level = self._nesting
        if len(self._anchor_texts) == level:
            self._anchor_texts.append(Folding())
        self._nesting += 1
        self._anchor_hidden[level] = 0
        self._anchor_link[level] = self._link if leads else -1
        self._anchor = <Folding>self._anchor_texts[level] if leads else None
        if leads:
            self._anchor.clear()
        return 0

    cdef int _close_anchor(self) except -1:
        cdef Py_ssize_t link
        self._nesting -= 1
        link = self._anchor_link[self._nesting]
        if 0 <= link < len(self._anchors):
            self._anchors[link] = self._anchor.start(_MAX_ANCHOR)
        if self._nesting and self._anchor_link[self._nesting - 1] >= 0:
            self._anchor = <Folding>self._anchor_texts[self._nesting - 1]
        else:
            self._anchor = None
        return 0

    cdef int end(self) except -1:
        """Whatever it is called, what ends is what was begun last."""
        cdef int what
        if self.unfit or not self._depth:
            return 0
        if self._depth == self._title_at:
            self._title_at = 0
            self.survey.title = self._title.start(_MAX_FACT)
        if self._depth == self._heading_at:
            self._heading_at = 0
            self.survey.h1 = self._heading.start(_MAX_FACT)
        self._depth -= 1
        what = self._open[self._depth]
        if not what:
            return 0
        if what & BLOCK:
            self._gap()
        elif what & NOTHING:
            if what & TEMPLATE:
                self._templates -= 1
            self._hidden -= 1
            self._heading_hidden -= 1
            if self._nesting:
                self._anchor_hidden[self._nesting - 1] -= 1
        elif what & ANCHOR:
            self._close_anchor()
        elif what & SVG:
            self._svgs -= 1
        if what & REGION and what & COUNTS and self._looking:
            self.survey.leave()
        return 0

    cdef int add(self, const char* text, size_t length) except -1:
        if self.unfit or not self._depth:
            return 0
        if not self._hidden:
            self._page.add(text, length)
        elif self._title_at:
            self._title.add(text, length)
        if self._heading_at and not self._heading_hidden:
            self._heading.add(text, length)
        if self._anchor is not None and not self._anchor_hidden[self._nesting - 1]:
            self._anchor.add(text, length)
        return 0


cdef void _on_start(
    void* reading, const_xmlChar* name, const_xmlChar** attributes
) noexcept:
    try:
        (<Reading>reading).start(<const char*>name, <const char**>attributes)
    except BaseException as failure:
        (<Reading>reading).fail(failure)


cdef void _on_end(void* reading, const_xmlChar* name) noexcept:
    try:
        (<Reading>reading).end()
    except BaseException as failure:
        (<Reading>reading).fail(failure)


cdef void _on_text(void* reading, const_xmlChar* text, int length) noexcept:
    try:
        (<Reading>reading).add(<const char*>text, length)
    except BaseException as failure:
        (<Reading>reading).fail(failure)


cdef void _on_error(void* reading, const xmlError* error) noexcept:
    """A page without faults is rare; what counts is that all of it was read."""
    if error.code == XML_ERR_NO_MEMORY:
        (<Reading>reading).fail(_no_memory)
    elif error.code == XML_ERR_RESOURCE_LIMIT:
        (<Reading>reading).fail(None)


cdef bint _split(const char* address, list texts, list fragments) except -1:
    """Note an address's text and fragment; tells whether it is `elements.PLAIN`.

    Links of which many lead into one page stand side by side: they share their text.
    """
    cdef const char* at = address
    cdef bint plain = True
    cdef Py_ssize_t length
    cdef const char* before
    cdef Py_ssize_t size = 0
    cdef unsigned char char = at[0]
    while char and char != 35:
        plain &= _PLAIN[char]
        at += 1
        char = at[0]
    length = at - address
    text = None
    if texts:
        before = PyUnicode_AsUTF8AndSize(texts[len(texts) - 1], &size)
        if size == length and not memcmp(before, address, length):
            text = texts[len(texts) - 1]
    texts.append(PyUnicode_DecodeUTF8(address, length, NULL) if text is None else text)
    if not char:
        fragments.append(None)
        return plain and length <= _MAX_KEPT_URL
    at += 1
    size = strlen(at)
    fragments.append(PyUnicode_DecodeUTF8(at, size, NULL))
    while at[0]:
        plain &= _PLAIN[<unsigned char>at[0]]
        at += 1
    return plain and at - address <= _MAX_KEPT_URL


cdef const char* _value(const char** attributes, const char* name) noexcept:
    """An attribute's value as UTF-8, empty where only its name stands, NULL where there is none."""
    if attributes is NULL:
        return NULL
    while attributes[0] is not NULL:
        if attributes[0][0] == name[0] and not strcmp(attributes[0], name):
            if attributes[1] is NULL:
                return ""
            return attributes[1]
        attributes += 2
    return NULL


cdef _attribute(const char** attributes, const char* name):
    cdef const char* value = _value(attributes, name)
    return None if value is NULL else PyUnicode_DecodeUTF8(value, strlen(value), NULL)


cdef dict _all(const char** attributes):
    cdef dict found = {}
    while attributes is not NULL and attributes[0] is not NULL:
        name = PyUnicode_DecodeUTF8(attributes[0], strlen(attributes[0]), NULL)
        if attributes[1] is NULL:
            found[name] = ""
        else:
            found[name] = PyUnicode_DecodeUTF8(attributes[1], strlen(attributes[1]), NULL)
        attributes += 2
    return found


cdef _region(const char* name, const char** attributes):
    cdef const char* role = _value(attributes, "role")
    cdef int region = 0 if role is NULL else _ROLES.of(role)
    return _REGION_NAMES[region or _LANDMARKS.of(name)]


cdef int _add_apart(Folding text, const char* more) except -1:
    text.gap()
    if more is not NULL:
        text.add(more, strlen(more))
    text.gap()
    return 0
