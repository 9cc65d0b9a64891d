"""The network fails for a while: nothing is lost, and what was wanted is fetched when it is back.

The site and the crawler live in network namespaces of their own, joined by a cable that the test
pulls. Needs root, `ip` and `nft`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent
import pytest
from gevent import subprocess

from tests.crash.trial import Count, Trial, check_untorn, until, wait, whole_end
from tests.crawls import rows
from tests.sites.generated import GeneratedSite
from tests.sites.skip import ROOT, require_program

HOME, SITE = "crawler-home", "crawler-site"
HOME_IP, SITE_IP = "10.77.0.1", "10.77.0.2"
NAME = "site.test"
PAGES = GeneratedSite(pages=1500, seed=5, latency_ms=5, jitter_ms=20)
PORT = 8080
pytestmark = pytest.mark.timeout(900)
NFT = """
table inet fault {{
  chain output {{ type filter hook output priority 0; {rule}; }}
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
            reply.answer.append(dns.rrset.from_text(question.name, 1, "IN", "A", sys.argv[1]))
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
        for namespace, address in ((HOME, HOME_IP), (SITE, SITE_IP)):
            run("ip", "-n", namespace, "addr", "add", f"{address}/24", "dev", "plug")
            run("ip", "-n", namespace, "link", "set", "plug", "up")
            run("ip", "-n", namespace, "link", "set", "lo", "up")
        resolver.mkdir(parents=True)
        (resolver / "resolv.conf").write_text(f"nameserver {SITE_IP}\noptions timeout:1\n")
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


@pytest.fixture
def log(cable: None, tmp_path: Path) -> Iterator[Path]:
    """The access log of a site that is served."""
    file = tmp_path / "access.log"
    words = [f"--pages={PAGES.pages}", f"--seed={PAGES.seed}", f"--latency-ms={PAGES.latency_ms}"]
    words += [f"--jitter-ms={PAGES.jitter_ms}", f"--address={SITE_IP}", f"--port={PORT}"]
    with daemon("-m", "tests.sites.generated", *words, f"--log={file}"):
        yield file


def asked(log: Path) -> list[str]:
    """The paths that the site was asked for."""
    with log.open() as lines:
        return [json.loads(line)["path"] for line in lines if line.endswith("\n")]


class Away(Trial):
    """A trial in the crawler's namespace."""

    @property
    def command(self) -> list[str]:
        """The command, always the same one."""
        return inside(HOME, *super().command, "--allow-private", f"{SITE_IP}/32")


def pull_the_cable() -> None:
    run("ip", "-n", SITE, "link", "set", "plug", "down")
    gevent.sleep(20)
    run("ip", "-n", SITE, "link", "set", "plug", "up")


def with_rule(rule: str, seconds: float) -> None:
    file = Path("/tmp", f"crawler-fault-{os.getpid()}.nft")
    file.write_text(NFT.format(rule=rule))
    run(*inside(HOME, "nft", "-f", str(file)))
    gevent.sleep(seconds)
    run(*inside(HOME, "nft", "delete", "table", "inet", "fault"))
    file.unlink()


FAULTS = {
    "link down 20 s": pull_the_cable,
    "packets dropped 20 s": lambda: with_rule(f"ip daddr {SITE_IP} drop", 20),
    "packets refused 20 s": lambda: with_rule(
        f"ip daddr {SITE_IP} tcp dport {PORT} reject with tcp reset", 20
    ),
    "30 % loss for 20 s": lambda: with_rule("numgen random mod 100 < 30 drop", 20),
    "DNS dead 20 s": lambda: with_rule("udp dport 53 drop", 20),
}


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_network_that_fails_for_a_while_costs_nothing_but_time(
    log: Path, tmp_path: Path, count: Callable[[str], Count], fault: str, workers: int
) -> None:
    settings = {"pace.retry_base_s": 5, "run.concurrency": 16, "pace.own_in_flight": 16,
                "pace.park_s": 10}  # fmt: skip
    trial = Away(tmp_path, [f"http://{NAME}:{PORT}/"], workers, settings)
    this = count(fault)
    with daemon("-c", DNS, SITE_IP):
        process = trial.start()
        until(lambda: log.exists() and len(asked(log)) > 100)
        FAULTS[fault]()
        assert wait(process, 400) == 0, trial.said
    this.rounds += 1
    check_untorn(trial.database)
    paths = [path for path in asked(log) if path != "/robots.txt"]
    lost = set(PAGES.paths()) - {row[0].partition(f":{PORT}")[2] for row in _good(trial)}
    this.lost += len(lost)
    this.refetched += len(paths) - len(set(paths))
    assert lost == set()
    assert len(paths) - len(set(paths)) <= 3 * 16 * max(1, workers)
    assert rows(trial.database, "SELECT count(*) FROM urls WHERE state <> 'done'") == [(0,)]
    assert len(whole_end(trial.database)["links"]) == sum(1 for _ in PAGES.all_links())


def _good(trial: Trial) -> list[tuple[str]]:
    return rows(trial.database, "SELECT url FROM pages WHERE status = 200")
