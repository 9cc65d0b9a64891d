"""How does a test say which names exist?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
from gevent.server import DatagramServer

SILENT = "no answer at all"
LOOP = "a CNAME of itself"

Found = list[str] | tuple[str, ...] | int | str
"""IPv4 and IPv6 addresses, a response code, SILENT or LOOP."""


class Server(DatagramServer):
    """Nobody else may listen at its place: of two that share one, each gets the other's mail."""

    reuse_addr = None


class Nameserver:
    """A name server on loopback. zone: what is said of names; others do not exist. place: where it
    listens, on a free port unless one is given.

    silent: nobody gets an answer. asked: the names asked for, in order, each with its last dot.
    """

    def __init__(
        self, zone: Mapping[str, Found], place: tuple[str, int] = ("127.0.0.1", 0)
    ) -> None:
        self.zone = zone
        self.silent = False
        self.asked: list[str] = []
        self._server = Server(place, self._meet)
        self._server.start()
        self.ip: str = self._server.server_host
        self.port: int = self._server.server_port

    def close(self) -> None:
        """Answer no more."""
        self._server.stop()

    def environment(self) -> dict[str, str]:
        """What makes a process ask this server and nobody else."""
        return {
            "GEVENT_RESOLVER": "ares",
            "GEVENTARES_SERVERS": "127.0.0.1",
            "GEVENTARES_UDP_PORT": str(self.port),
            "GEVENTARES_TCP_PORT": str(self.port),
            # A burst of questions may overflow the socket; ask again soon.
            "GEVENTARES_TIMEOUT": "0.4",
            "GEVENTARES_TRIES": "6",
        }

    def _meet(self, data: bytes, address: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = str(question.name).lower()
        self.asked.append(name)
        found = self.zone.get(name.removesuffix("."), dns.rcode.NXDOMAIN)
        if found == SILENT or self.silent:
            return
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if found == LOOP:
            answer.answer.append(dns.rrset.from_text(name, 0, "IN", "CNAME", name))
        elif isinstance(found, list | tuple):
            _say(answer, name, question.rdtype, found)
        else:
            answer.set_rcode(found)
        self._server.socket.sendto(answer.to_wire(max_size=65_535), address)


def _say(answer: dns.message.Message, name: str, kind: int, found: Sequence[str]) -> None:
    for number, word, sign in ((1, "A", "."), (28, "AAAA", ":")):
        ips = [ip for ip in found if sign in ip]
        if kind == number and ips:
            answer.answer.append(dns.rrset.from_text_list(name, 0, "IN", word, ips))
