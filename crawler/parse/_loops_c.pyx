# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The same as `_loops_py`, faster: tests/parse/test_compiled.py holds them against each other."""

from libc.stdint cimport uint64_t
from libc.string cimport memcpy, strlen, strstr

cdef enum:
    WORD = sizeof(uint64_t)


cdef extern from *:
    """
    #define EACH(byte) (0x0101010101010101ULL * (byte))
    """
    uint64_t EACH(int byte) noexcept


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
    """As `_loops_py.indexes`, whose words these are."""
    cdef list places = []
    cdef dict site = memories[0], folder = memories[1], by_hash = targets[0]
    cdef list found = targets[1]
    cdef Py_ssize_t number
    cdef object before = None
    cdef tuple meant
    place = None
    for number in range(len(texts)):
        text = texts[number]
        if text is not before or place is None:
            place = known.get(text)
        if place is None:
            meant = site.get(text)
            if meant is None:
                meant = folder.get(text)
            if meant is None:
                places.append(other(number))
                continue
            place = by_hash.setdefault(meant[0], len(found))
            if place == len(found):
                found.append(meant[1])
            known[text] = place
        before = text
        places.append(place)
    return places
