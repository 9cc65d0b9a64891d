"""How does a program get no network, though nobody has privileges?

By a filter of system calls that it cannot take off again and that all it starts have, too: sockets
are made of two families alone, those within this machine and those of the kernel's own news. What a
page asks for comes by way of the crawler; WebSocket, WebRTC, WebTransport and whatever else a
browser may have are left with nothing. Chromium's own sandbox works beside it.

https://www.kernel.org/doc/html/latest/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from typing import Any, Final

_SET_NO_NEW_PRIVS: Final = 38
_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
"""BPF: load a word of what is judged, jump where it is equal or greater, end."""
_NUMBER, _ARCHITECTURE, _FAMILY = 0, 4, 16
"""Where the call, the architecture and the first argument stand (struct seccomp_data)."""
_ALLOW: Final = 0x7FFF0000
_FAIL: Final = 0x00050000
_UNIX, _NETLINK = 1, 16

_CALLS: Final = {
    "x86_64": (0xC000003E, 41),
    "aarch64": (0xC00000B7, 198),
}
"""Architecture and number of socket(2)."""
_IO_URING_SETUP: Final = 425
"""On all architectures: rings make sockets, too, and no filter sees it."""
_X32: Final = 0x40000000
"""The other way to call x86-64, with numbers of its own from here on."""


class Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def instructions(machine: str) -> list[tuple[int, int, int, int]]:
    """The filter: operation, jump if true, jump if false, operand. Raises KeyError for a machine
    that is not known."""
    architecture, socket = _CALLS[machine]
    no_family = _FAIL | errno.EAFNOSUPPORT
    return [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _FAIL | errno.EPERM),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _FAIL | errno.ENOSYS),
        (_EQUAL, 0, 1, _IO_URING_SETUP),
        (_RETURN, 0, 0, _FAIL | errno.ENOSYS),
        (_EQUAL, 1, 0, socket),
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _FAMILY),
        (_EQUAL, 2, 0, _UNIX),
        (_EQUAL, 1, 0, _NETLINK),
        (_RETURN, 0, 0, no_family),
        (_RETURN, 0, 0, _ALLOW),
    ]


class Filter:
    """The filter of this machine, made ready: nothing is imported or looked up when it is put on,
    which a process does between fork and exec. Raises OSError for a machine that is not known."""

    def __init__(self, libc: Any) -> None:
        machine = platform.machine()
        if machine not in _CALLS:
            raise OSError(errno.ENOSYS, f"no filter of system calls is known for {machine}")
        lines = instructions(machine)
        self._code = ctypes.create_string_buffer(
            b"".join(struct.pack("HBBI", *line) for line in lines)
        )
        self._program = Program(len(lines), ctypes.addressof(self._code))
        self._prctl = libc.prctl

    def __repr__(self) -> str:
        return f"<Filter of {self._program.length} instructions>"

    def put_on(self) -> None:
        """From now on this holds for this process and all that it starts. Raises OSError."""
        program = ctypes.byref(self._program)
        if self._prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or self._prctl(
            _SET_SECCOMP, _MODE_FILTER, program, 0, 0
        ):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
