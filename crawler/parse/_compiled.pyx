# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The same as `plain`, on libxml2's own nodes (https://lxml.de/capi.html).

What is found and shown is said in `survey` and `text`; here it is only done faster. Both must give
the same of every document: tests/parse/test_compiled.py holds them against each other.
"""

from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_DecodeUTF8
from libc.stdint cimport uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, strcmp, strlen, strstr
from lxml.includes cimport etreepublic as lxml_api
from lxml.includes.tree cimport (
    XML_CDATA_SECTION_NODE,
    XML_ELEMENT_NODE,
    XML_TEXT_NODE,
    xmlAttr,
    xmlNode,
)

import sys

from crawler.parse.survey import HANDLERS, LANDMARKS, MAX_ANCHOR, PLAIN, ROLE_HOLDERS, ROLES
from crawler.parse.text import BLOCKS, HIDDEN, count_words, fold
from crawler.policy.urls import MAX_KEPT_URL

lxml_api.import_lxml__etree()

cdef enum:
    SLOTS = 1024
    # how an element is shown
    INLINE = 0
    BLOCK = 1
    NOTHING = 2
    ALT = 3
    # what an element is looked at for; from HANDLED on, the place of its handler
    NEVER = 0
    LINK = 1
    REGION = 2
    HANDLED = 3


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

    spaces: how many it has. odd: something came that Python may take for white space and XML does
    not.
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

    cdef int add(self, const char* text) except -1:
        """Eight characters at a time as long as no two of them need folding."""
        cdef size_t length = strlen(text)
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


cdef dict _SHOW_AS = {**dict.fromkeys(BLOCKS, BLOCK), **dict.fromkeys(HIDDEN, NOTHING)}
cdef Names _ON_PAGES = Names(_SHOW_AS)
cdef Names _IN_HEADINGS = Names({**_SHOW_AS, "img": ALT})
# No anchor holds another, though libxml2 leaves them so; the text is the inner one's.
cdef Names _IN_ANCHORS = Names({**_SHOW_AS, "img": ALT, "a": NOTHING})
cdef list _HANDLERS = list(HANDLERS.values())
cdef Names _WATCHED = Names(
    {
        "a": LINK,
        **dict.fromkeys((*LANDMARKS, *ROLE_HOLDERS), REGION),
        **{name: HANDLED + place for place, name in enumerate(HANDLERS)},
    }
)
cdef list _REGION_NAMES = [None, *dict.fromkeys((*ROLES.values(), *LANDMARKS.values()))]
cdef Names _ROLES = Names({role: _REGION_NAMES.index(name) for role, name in ROLES.items()})
cdef Names _LANDMARKS = Names(
    {tag: _REGION_NAMES.index(name) for tag, name in LANDMARKS.items()}
)
cdef Py_ssize_t _MAX_ANCHOR = MAX_ANCHOR
cdef Py_ssize_t _MAX_KEPT_URL = MAX_KEPT_URL
cdef bint _PLAIN[256]
for _char in range(256):
    _PLAIN[_char] = PLAIN.fullmatch(chr(_char)) is not None


cdef inline bint _is_text(xmlNode* node) noexcept:
    return node.type == XML_TEXT_NODE or node.type == XML_CDATA_SECTION_NODE


def find(bytes data not None, bytes needle not None):
    """`bytes.find` of some bytes without NUL, several times as fast: the C library uses vectors."""
    cdef const char* start = data
    cdef const char* end = start + len(data)
    cdef const char* sought = needle
    cdef const char* at = start
    cdef const char* found
    while at < end:
        found = strstr(at, sought)
        if found is not NULL:
            return found - start
        at += strlen(at) + 1
    return -1


def is_utf8(bytes data not None):
    """Is this UTF-8, without surrogates and overlong forms (Unicode, table 3-7)?"""
    cdef const unsigned char* text = data
    cdef size_t length = len(data)
    cdef size_t at = 0
    cdef size_t more
    cdef uint64_t word
    cdef unsigned char first, second, low, high
    while at < length:
        while at + WORD <= length:
            memcpy(&word, text + at, WORD)
            if word & EACH(0x80):
                break
            at += WORD
        if at == length:
            break
        first = text[at]
        at += 1
        if first < 0x80:
            continue
        low, high = 0x80, 0xBF
        if 0xC2 <= first <= 0xDF:
            more = 1
        elif 0xE0 <= first <= 0xEF:
            more = 2
            if first == 0xE0:
                low = 0xA0
            elif first == 0xED:
                high = 0x9F
        elif 0xF0 <= first <= 0xF4:
            more = 3
            if first == 0xF0:
                low = 0x90
            elif first == 0xF4:
                high = 0x8F
        else:
            return False
        if at + more > length:
            return False
        second = text[at]
        if second < low or second > high:
            return False
        at += 1
        while more > 1:
            if text[at] & 0xC0 != 0x80:
                return False
            at += 1
            more -= 1
    return True


def indexes(list texts, dict known, tuple memories, tuple targets, other):
    """As `plain.indexes`, whose words these are."""
    cdef list places = []
    cdef dict site = memories[0], folder = memories[1], by_hash = targets[0]
    cdef list found = targets[1]
    cdef Py_ssize_t number
    cdef object before = None
    place = None
    for number in range(len(texts)):
        text = texts[number]
        if text is not before or place is None:
            place = known.get(text)
        if place is None:
            target = site.get(text) or folder.get(text)
            if target is None or target.refusal is not None:
                places.append(other(number))
                continue
            place = by_hash.setdefault(target.hash, len(found))
            if place == len(found):
                found.append(target)
            known[text] = place
        before = text
        places.append(place)
    return places


def visible_text(lxml_api._Element root not None):
    """The text of a document as shown, white space folded to single spaces; its words."""
    cdef Folding text = Folding()
    cdef xmlNode* top = root._c_node
    cdef xmlNode* node = top
    cdef int show
    cdef str folded
    while True:
        if _is_text(node):
            if node.content is not NULL:
                text.add(<const char*>node.content)
        elif node.type == XML_ELEMENT_NODE:
            show = _ON_PAGES.of(<const char*>node.name)
            if show == BLOCK:
                text.gap()
            if show != NOTHING and node.children is not NULL:
                node = node.children
                continue
        while node is not top and node.next is NULL:
            node = node.parent
            if _ON_PAGES.of(<const char*>node.name) == BLOCK:
                text.gap()
        node = node.next
        if node is NULL:
            break
        if node.parent is top.parent:
            top = node  # what came behind the root's end
    folded = text.text()
    if text.odd and ("\xa0" in folded or "\f" in folded or "\u3000" in folded):
        folded = fold(folded)
        return folded, count_words(folded)
    PyUnicode_AsUTF8AndSize(folded, NULL)  # once, for all who want it so: a hash, a frame, a row
    return folded, text.spaces + 1 if folded else 0


def look(lxml_api._Element root not None, survey):
    """Walk over a tree once, in document order, and fill in what it shows."""
    cdef list kinds = survey.kinds, texts = survey.texts, fragments = survey.fragments
    cdef list anchors = survey.anchors, rels = survey.rels
    cdef Py_ssize_t max_links = survey.max_links
    cdef list landmarks = []
    cdef Folding text = Folding()
    cdef xmlNode* top = root._c_node
    cdef xmlNode* node = top
    cdef xmlNode* landmark = NULL
    cdef int watched
    cdef const char* address
    cdef bint plain = True
    while True:
        if node.type == XML_ELEMENT_NODE:
            watched = _WATCHED.of(<const char*>node.name)
            if watched == LINK:
                address = _value(node, "href")
                if address is NULL:
                    address = _value(node, "xlink:href")
                if address is not NULL:
                    kinds.append("a")
                    plain &= _split(address, texts, fragments)
                    anchors.append(_shown(node, _IN_ANCHORS, text, _MAX_ANCHOR))
                    rels.append(_attribute(node, "rel"))
            elif watched >= HANDLED:
                _HANDLERS[watched - HANDLED](survey, lxml_api.elementFactory(root._doc, node))
            elif watched == REGION:
                region = _region(node)
                if region is not None:
                    survey.enter(region)
                    landmarks.append(<size_t>node)
                    landmark = node
            if watched and len(texts) > max_links:
                break
            if node.children is not NULL:
                node = node.children
                continue
        while True:
            if node is landmark:
                survey.leave()
                landmarks.pop()
                landmark = NULL
                if landmarks:
                    landmark = <xmlNode*><size_t>landmarks[len(landmarks) - 1]
            if node is top or node.next is not NULL:
                break
            node = node.parent
        node = node.next
        if node is NULL:
            break
        if node.parent is top.parent:
            top = node  # what came behind the root's end
    if not plain:
        survey.plain = False
    survey.end()


cdef bint _split(const char* address, list texts, list fragments) except -1:
    """Note an address's text and fragment; tells whether it is `survey.PLAIN`.

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


cdef const char* _value(xmlNode* node, const char* name) noexcept:
    """An attribute's value as UTF-8, NULL where there is none: in HTML it is one text."""
    cdef xmlAttr* attribute = node.properties
    while attribute is not NULL:
        if attribute.ns is NULL and not strcmp(<const char*>attribute.name, name):
            if attribute.children is NULL or attribute.children.content is NULL:
                return ""
            return <const char*>attribute.children.content
        attribute = attribute.next
    return NULL


cdef _attribute(xmlNode* node, const char* name):
    """An attribute as lxml's `get` gives it."""
    cdef const char* value = _value(node, name)
    return None if value is NULL else PyUnicode_DecodeUTF8(value, strlen(value), NULL)


cdef _region(xmlNode* node):
    cdef const char* role = _value(node, "role")
    cdef int region = 0 if role is NULL else _ROLES.of(role)
    return _REGION_NAMES[region or _LANDMARKS.of(<const char*>node.name)]


def shown(lxml_api._Element element not None, Py_ssize_t limit):
    """The visible text of a small part of a page, with the alt texts of its images."""
    return _shown(element._c_node, _IN_HEADINGS, Folding(), limit)


cdef str _shown(xmlNode* top, Names show_as, Folding text, Py_ssize_t limit):
    cdef xmlNode* node = top.children
    cdef int show
    cdef str folded
    text.clear()
    while node is not NULL:
        if _is_text(node):
            if node.content is not NULL:
                text.add(<const char*>node.content)
        elif node.type == XML_ELEMENT_NODE:
            show = show_as.of(<const char*>node.name)
            if show == BLOCK:
                text.gap()
            elif show == ALT:
                _add_alt(node, text)
            if (show == INLINE or show == BLOCK) and node.children is not NULL:
                node = node.children
                continue
        while node.next is NULL:
            node = node.parent
            if node is top:
                break
            if show_as.of(<const char*>node.name) == BLOCK:
                text.gap()
        if node is top:
            break
        node = node.next
    folded = text.text()
    if text.odd:
        folded = fold(folded)
    return folded[:limit] if len(folded) > limit else folded


cdef int _add_alt(xmlNode* image, Folding text) except -1:
    cdef const char* alt = _value(image, "alt")
    text.gap()
    if alt is not NULL:
        text.add(alt)
    text.gap()
    return 0
