"""Is each site believed, and shown, what was said of it, and no other one?"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner

from crawler.cli import cli
from crawler.config import load
from crawler.fetch import tls
from tests.crawls import crawl, rows
from tests.fetch.certificates import CA, good
from tests.sites.web import Web

SHORT = ["robots.obey=false", "robots.sitemaps=false", "pace.tries=1"]
OURS = 'scope.allow_private=["127.0.0.0/8"]'
ANSWERS = "SELECT urls.url, visits.status, visits.error FROM visits JOIN urls ON urls.id = url_id"


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[str]:
    """A file of the authority that has signed for the sites of these tests."""
    CA.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tls.context.cache_clear()
    yield str(tmp_path / "ca.pem")
    tls.context.cache_clear()


def answers(tmp_path: Path, *seeds: str, said: list[str]) -> dict[str, object]:
    """Status or error by URL."""
    crawl(tmp_path / "a.db", *seeds, settings=load(None, [*SHORT, OURS, *said]))
    return {url: status or error for url, status, error in rows(tmp_path / "a.db", ANSWERS)}


@pytest.fixture
def secure() -> Iterator[Web]:
    """A web over TLS, with pages on two addresses."""
    served = Web(good("127.0.0.1", "127.0.7.1"))
    for host in (served, served.host("127.0.7.1")):
        host.page("/", links=["/a"])
        host.page("/a")
    yield served
    served.close()


@pytest.mark.parametrize("key", ["ca_file", "verify_tls"])
def test_one_site_is_believed_and_no_other(
    tmp_path: Path, secure: Web, authority: str, key: str
) -> None:
    """requests GHSA-9wx4-h78v-vm56: a policy must not stick to connections of others."""
    other = secure.host("127.0.7.1")
    value = f'"{authority}"' if key == "ca_file" else "false"
    said = [f'site."{secure.url("")}".{key}={value}']
    found = answers(tmp_path, secure.url("/"), other.url("/"), said=said)
    assert found == {secure.url("/"): 200, secure.url("/a"): 200, other.url("/"): "tls_verify"}


def test_a_policy_of_an_area_is_none_of_the_rest_of_its_origin(
    tmp_path: Path, secure: Web, authority: str
) -> None:
    said = [f'site."{secure.url("/a")}".verify_tls=false']
    found = answers(tmp_path, secure.url("/a"), secure.url("/"), said=said)
    assert found == {secure.url("/a"): 200, secure.url("/"): "tls_verify"}


def test_authorities_of_ones_own_hold_for_all_sites(
    tmp_path: Path, secure: Web, authority: str
) -> None:
    found = answers(tmp_path, secure.url("/a"), said=[f"fetch.ca_file={authority}"])
    assert found == {secure.url("/a"): 200}


def test_the_authorities_of_this_machine_are_believed_where_that_is_said(
    tmp_path: Path, secure: Web, authority: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # OpenSSL's own variable stands for the machine's store here.
    monkeypatch.setenv("SSL_CERT_FILE", authority)
    found = answers(tmp_path, secure.url("/a"), said=["fetch.ca_file=system"])
    assert found == {secure.url("/a"): 200}


def test_a_certificate_of_ones_own_is_shown_to_one_origin_alone(
    tmp_path: Path, authority: str
) -> None:
    CA.issue_cert("visitor.test").private_key_and_cert_chain_pem.write_to_path(
        str(tmp_path / "me.pem")
    )
    asking = good("127.0.0.1", "127.0.7.1")
    asking.verify_mode = ssl.CERT_REQUIRED
    asking.load_verify_locations(cafile=authority)
    served = Web(asking)
    try:
        other = served.host("127.0.7.1")
        for host in (served, other):
            host.page("/")
        said = [
            f"fetch.ca_file={authority}",
            f'site."{served.url("")}".client_cert="{tmp_path}/me.pem"',
        ]
        found = answers(tmp_path, served.url("/"), other.url("/"), said=said)
    finally:
        served.close()
    assert found.pop(served.url("/")) == 200
    assert found[other.url("/")] in ("tls_proto", "conn_closed", "conn_reset")
    assert other.log == []


@pytest.mark.parametrize(
    ("key", "content"),
    [("ca_file", None), ("ca_file", "nothing"), ("client_cert", None), ("client_cert", "nothing")],
)
def test_a_wrong_file_is_told_before_anything_is_fetched(
    tmp_path: Path, key: str, content: str | None
) -> None:
    path = tmp_path / "file.pem"
    if content is not None:
        path.write_text(content)
    said = f'site."https://127.0.0.1:9".{key}="{path}"'
    ran = CliRunner().invoke(
        cli, ["crawl", "https://127.0.0.1:9/", "--db", str(tmp_path / "a.db"), "--set", said]
    )
    assert ran.exit_code == 2
    assert f'site."https://127.0.0.1:9".{key}: {path}: ' in ran.output
    assert not (tmp_path / "a.db").exists()


def test_a_key_behind_a_password_is_refused_and_not_asked_for(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
    )

    key = ec.generate_private_key(ec.SECP256R1())
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    chain = trustme.CA().issue_cert("a.test").cert_chain_pems[0].bytes()
    (tmp_path / "me.pem").write_bytes(text + chain)
    with pytest.raises(ssl.SSLError):
        tls.context(True, str(tmp_path / "me.pem"))
