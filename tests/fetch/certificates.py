"""Which certificates does a test show?"""

from __future__ import annotations

import datetime
import ssl
import tempfile
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from gevent.ssl import SSLContext

CA = trustme.CA()
"""The authority that tests believe."""

DH_1024 = """\
-----BEGIN DH PARAMETERS-----
MIGHAoGBAP//////////yQ/aoiFowjTExmKLgNwc0SkCTgiKZ8x0Agu+pjsTmyJR
Sgh5jjQE3e+VGbPNOkMbMCsKbfJfFDdP4TVtbVHCReSFtXZiXn7G9ExC6aY37WsL
/1y29Aa37e44a/taiZ+lrp8kEXxLH+ZJKGZR7OZTgf//////////AgEC
-----END DH PARAMETERS-----
"""
"""The prime of RFC 2409, section 6.2, as OpenSSL reads it."""

LONG_AGO = datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC)


def serves(certificate: trustme.LeafCert) -> SSLContext:
    """A server that shows this certificate."""
    context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def good(*names: str) -> SSLContext:
    """One that is right for these names."""
    return serves(CA.issue_cert(*names))


def until(end: datetime.datetime, *names: str) -> SSLContext:
    """Valid until then."""
    return serves(CA.issue_cert(*names, not_after=end))


def of_a_stranger(name: str) -> SSLContext:
    """Signed by an authority that nobody knows."""
    return serves(trustme.CA().issue_cert(name))


def expired(name: str) -> SSLContext:
    """Valid until ``LONG_AGO``."""
    return serves(CA.issue_cert(name, not_after=LONG_AGO))


def without_intermediate(name: str) -> SSLContext:
    """Signed by an authority that a believed one has signed, but that is not shown."""
    leaf = CA.create_child_ca().issue_cert(name)
    context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with leaf.private_key_pem.tempfile() as key, leaf.cert_chain_pems[0].tempfile() as chain:
        context.load_cert_chain(chain, key)
    return context


def old_tls(name: str) -> SSLContext:
    """Nothing newer than TLS 1.0."""
    context = good(name)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1
    return context


def only(name: str, ciphers: str) -> SSLContext:
    """One with an RSA key that speaks TLS 1.2 with these ciphers, in the order of its choice; where
    DHE is among them, with a prime of 1,024 bits."""
    context = serves(CA.issue_cert(name, key_type=trustme.KeyType.RSA))
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    with tempfile.NamedTemporaryFile() as pem:
        pem.write(DH_1024.encode())
        pem.flush()
        context.load_dh_params(pem.name)
    return context


def with_nul(name: str, folder: Path) -> SSLContext:
    """For ``name\\0.evil.test``, what a careless comparison takes for the name; it has signed
    itself, and stands in ``nul.pem`` of the folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "evil")])
    day = datetime.timedelta(days=1)
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(f"{name}\0.evil.test")])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "nul.key").write_bytes(text)
    (folder / "nul.pem").write_bytes(made.public_bytes(Encoding.PEM))
    context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(folder / "nul.pem"), str(folder / "nul.key"))
    return context
