"""The network fails for a while: nothing is lost, and what was wanted is fetched when it is back.

The site and the crawler live in network namespaces of their own, joined by a cable that the test
pulls. Needs root, `ip` and `nft`.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent import subprocess

from tests.crash.trial import Count, Trial, check_untorn, wait, whole_end
from tests.crawls import rows
from tests.patience import until
from tests.sites.skip import ROOT, require_program

Ends = Mapping[str, list[tuple[Any, ...]]]
HOME, SITE = "crawler-home", "crawler-site"
HOME_IP, DNS_IP = "10.77.0.1", "10.77.0.2"
SITE_IPS = tuple(f"10.77.0.{number}" for number in range(2, 8))
"""Several, or the site could not be told from the network."""
NETWORK = "10.77.0.0/24"
PORT = 8080
LIMIT_S = 2.0
"""So short that an outage is told of well before it is over."""
STALL_S = 90.0
"""A fetch may take 60 s, and is not stored before its end."""
pytestmark = pytest.mark.timeout(900)
NFT = """
table inet fault {{
  chain fault {{ type filter hook input priority 0; {rule}; }}
}}
"""
DNS = """
import socket, sys
import dns.flags, dns.message, dns.rrset
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], 53))
print("ready", flush=True)
while True:
    wire, peer = server.recvfrom(4096)
    reply = dns.message.make_response(dns.message.from_wire(wire))
    reply.flags |= dns.flags.RA
    for question in reply.question:
        if question.rdtype == 1:
            number = int("".join(filter(str.isdigit, str(question.name))))
            ip = sys.argv[1 + number % len(sys.argv[1:])]
            reply.answer.append(dns.rrset.from_text(question.name, 1, "IN", "A", ip))
    server.sendto(reply.to_wire(), peer)
"""


def run(*words: str, check: bool = True) -> int:
    """Run a program; it is expected to go well."""
    code: int = subprocess.run(words, check=check, stderr=subprocess.DEVNULL).returncode
    return code


def inside(namespace: str, *words: str) -> list[str]:
    """A command in a namespace."""
    return ["ip", "netns", "exec", namespace, *words]


@pytest.fixture(scope="module")
def cable() -> Iterator[None]:
    """Two namespaces and a cable between them."""
    require_program("ip", "apt-get install iproute2")
    require_program("nft", "apt-get install nftables")
    if os.geteuid() != 0 or run("ip", "netns", "add", HOME, check=False):
        pytest.skip("network namespaces: only root may make them, and few containers let it")
    resolver = Path("/etc/netns", HOME)
    try:
        run("ip", "netns", "add", SITE)
        peer = ["type", "veth", "peer", "name", "plug", "netns", SITE]
        run("ip", "-n", HOME, "link", "add", "plug", *peer)
        for namespace, addresses in ((HOME, (HOME_IP,)), (SITE, SITE_IPS)):
            for address in addresses:
                run("ip", "-n", namespace, "addr", "add", f"{address}/24", "dev", "plug")
            run("ip", "-n", namespace, "link", "set", "plug", "up")
            run("ip", "-n", namespace, "link", "set", "lo", "up")
        resolver.mkdir(parents=True)
        (resolver / "resolv.conf").write_text(f"nameserver {DNS_IP}\noptions timeout:1\n")
        yield
    finally:
        for namespace in (HOME, SITE):
            run("ip", "netns", "del", namespace, check=False)
        (resolver / "resolv.conf").unlink(missing_ok=True)
        resolver.rmdir()


@contextmanager
def daemon(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server in the site's namespace, from its first line on."""
    command = inside(SITE, sys.executable, *words)
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class Away(Trial):
    """A trial in the crawler's namespace."""

    @property
    def command(self) -> list[str]:
        """The command, always the same one."""
        return inside(HOME, *super().command, "--allow-private", NETWORK)


@dataclass(frozen=True, slots=True)
class Town:
    """Names that lead to one server, which has the same pages for each."""

    names: int
    pages: int

    @property
    def seeds(self) -> list[str]:
        """The home page of each name."""
        return [f"http://site{number}.test:{PORT}/" for number in range(self.names)]

    @contextmanager
    def served(self, log: Path) -> Iterator[None]:
        """The server and the name server; who asks for what stands in the access log."""
        words = [f"--pages={self.pages}", "--seed=5", "--latency-ms=60", "--jitter-ms=40"]
        words += [f"--port={PORT}", f"--log={log}", *(f"--address={ip}" for ip in SITE_IPS)]
        with daemon("-m", "tests.sites.generated", *words), daemon("-c", DNS, *SITE_IPS):
            yield

    def trial(self, folder: Path, workers: int, limit_s: float) -> Away:
        """A crawl of it that waits so long for a connection, and for an answer."""
        settings = {"fetch.connect_s": limit_s, "fetch.read_s": limit_s}
        settings |= {"pace.park_s": 10, "pace.retry_base_s": 5}
        return Away(folder, self.seeds, workers, settings, stall_s=STALL_S)


MANY = Town(names=60, pages=25)
"""So many names that not all are resolved yet when the resolver dies."""
ONE = Town(names=1, pages=1500)


def asked(log: Path) -> list[str]:
    """The URLs that the site was asked for."""
    with log.open() as lines:
        hits = [json.loads(line) for line in lines if line.endswith("\n")]
    return [f"http://{hit['host']}{hit['path']}" for hit in hits]


@pytest.fixture(scope="module")
def calm_ends(cable: None, tmp_path_factory: pytest.TempPathFactory) -> Mapping[Town, Ends]:
    """What a crawl of each town finds over a network that does not fail."""
    found = {}
    for town in (MANY, ONE):
        folder = tmp_path_factory.mktemp("calm")
        trial = town.trial(folder, 2, LIMIT_S)
        with town.served(folder / "access.log"):
            trial.finish()
        check_untorn(trial.database)
        found[town] = whole_end(trial.database)
    return found


def pull_the_cable() -> None:
    run("ip", "-n", SITE, "link", "set", "plug", "down")
    gevent.sleep(20)
    run("ip", "-n", SITE, "link", "set", "plug", "up")


def with_rule(rule: str) -> None:
    """For 20 s, a rule of the site's firewall: on our own side the sender would be told at once."""
    file = Path("/tmp", f"crawler-fault-{os.getpid()}.nft")
    file.write_text(NFT.format(rule=rule))
    run(*inside(SITE, "nft", "-f", str(file)))
    gevent.sleep(20)
    run(*inside(SITE, "nft", "delete", "table", "inet", "fault"))
    file.unlink()


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the network, in which town's crawl, and after how many requests.

    limit_s: how long the crawl waits for a host. is_outage: it is told that the network is down;
    lost packets are sent again, and one host that refuses is one host that refuses.
    """

    happen: Callable[[], None]
    town: Town = MANY
    after: int = 180
    limit_s: float = LIMIT_S
    is_outage: bool = True


FAULTS = {
    "link down 20 s": Fault(pull_the_cable),
    "packets dropped 20 s": Fault(lambda: with_rule(f"ip daddr {NETWORK} drop")),
    "packets refused 20 s": Fault(
        lambda: with_rule(f"ip daddr {NETWORK} tcp dport {PORT} reject with tcp reset"),
        ONE,
        is_outage=False,
    ),
    "30 % loss for 20 s": Fault(
        lambda: with_rule("numgen random mod 100 < 30 drop"), limit_s=20, is_outage=False
    ),
    "DNS dead 20 s": Fault(lambda: with_rule("udp dport 53 drop"), after=3),
}
OF_THE_NETWORK = """
    SELECT url
    FROM urls
    WHERE attempts > 1 + (
        SELECT count(*)
        FROM visits
        WHERE url_id = urls.id AND error NOTNULL AND error_detail NOT LIKE 'nothing else answers%'
    )
"""
"""URLs that were blamed for what the network did."""
FAILED = "SELECT DISTINCT url FROM urls JOIN visits ON url_id = urls.id WHERE error NOTNULL"


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("name", FAULTS)
def test_a_network_that_fails_for_a_while_costs_nothing_but_time(
    calm_ends: Mapping[Town, Ends], tmp_path: Path, count: Callable[[str], Count], name: str,
    workers: int,
) -> None:  # fmt: skip
    fault, this, log = FAULTS[name], count(name), tmp_path / "access.log"
    trial, calm_end = fault.town.trial(tmp_path, workers, fault.limit_s), calm_ends[fault.town]
    with fault.town.served(log):
        process = trial.start()
        until(lambda: log.exists() and len(asked(log)) >= fault.after)
        fault.happen()
        assert process.poll() is None, "it was over before the network was well again"
        assert wait(process, 400) == 0, trial.said
    this.rounds += 1
    check_untorn(trial.database)
    end = whole_end(trial.database)
    this.lost += len(set(calm_end["urls"]) - set(end["urls"]))
    asked_for = Counter(asked(log))
    this.refetched += asked_for.total() - len(asked_for)
    for kind, expected in calm_end.items():
        assert end[kind] == expected, kind
    again = {url for url, times in asked_for.items() if times > 1}
    assert again <= {url for (url,) in rows(trial.database, FAILED)}
    assert rows(trial.database, OF_THE_NETWORK) == []
    told = "is down: probing until it answers" in trial.said, "answers again" in trial.said
    assert told == (fault.is_outage,) * 2, trial.said
