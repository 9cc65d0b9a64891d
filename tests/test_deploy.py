"""Is what config/deploy holds what Docker, Kubernetes and systemd take, and what the crawler takes?

Each file is read into values that know every field that it may have: a word that is misspelt, or of
the wrong kind, or in the wrong place, is refused.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import click
import msgspec
import pytest
import yaml

from crawler.cli import cli
from tests.sites.skip import ROOT, require_program

PLACE = ROOT / "config" / "deploy"
UNITS = sorted(PLACE.glob("*.service"))


class Strict(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """No field that it does not know."""


class Snake(msgspec.Struct, forbid_unknown_fields=True):
    """The same, of Compose (https://github.com/compose-spec/compose-spec)."""


# Compose


class Build(Snake):
    context: str
    dockerfile: str


class Check(Snake):
    test: list[str]
    interval: str
    timeout: str
    retries: int


class Condition(Snake):
    condition: Literal["service_healthy", "service_started", "service_completed_successfully"]


class Deploy(Snake):
    replicas: int


class Container(Snake):
    image: str
    command: list[str]
    networks: list[str]
    restart: str
    build: Build | None = None
    environment: dict[str, str] = {}
    volumes: list[str] = []
    depends_on: dict[str, Condition] = {}
    healthcheck: Check | None = None
    init: bool = False
    stop_grace_period: str = "10s"
    deploy: Deploy | None = None


class Network(Snake):
    internal: bool = False


class Compose(Snake):
    name: str
    services: dict[str, Container]
    networks: dict[str, Network]
    volumes: dict[str, dict[str, str]]


# Kubernetes (https://kubernetes.io/docs/reference/kubernetes-api/)


class Named(Strict):
    name: str
    labels: dict[str, str] = {}


class Labels(Strict):
    match_labels: dict[str, str]


class KeyRef(Strict):
    name: str
    key: str


class From(Strict):
    secret_key_ref: KeyRef


class Variable(Strict):
    name: str
    value_from: From


class Port(Strict):
    container_port: int


class Socket(Strict):
    port: int


class Probe(Strict):
    tcp_socket: Socket


class Resources(Strict):
    requests: dict[Literal["cpu", "memory", "storage"], str]
    limits: dict[Literal["cpu", "memory"], str] = {}


class Mount(Strict):
    name: str
    mount_path: str
    read_only: bool = False


class Rights(Strict):
    allow_privilege_escalation: bool
    read_only_root_filesystem: bool


class PodRights(Strict):
    run_as_non_root: bool
    run_as_user: int
    fs_group: int | None = None


class Running(Strict):
    name: str
    image: str
    resources: Resources
    command: list[str] = []
    args: list[str] = []
    env: list[Variable] = []
    ports: list[Port] = []
    readiness_probe: Probe | None = None
    security_context: Rights | None = None
    volume_mounts: list[Mount] = []


class Claim(Strict):
    claim_name: str


class Config(Strict):
    name: str


class Volume(Strict):
    name: str
    persistent_volume_claim: Claim | None = None
    config_map: Config | None = None
    empty_dir: dict[str, str] | None = None


class Pod(Strict):
    containers: list[Running]
    automount_service_account_token: bool
    restart_policy: Literal["Always", "OnFailure", "Never"] = "Always"
    termination_grace_period_seconds: int = 30
    security_context: PodRights | None = None
    volumes: list[Volume] = []


class Labelled(Strict):
    labels: dict[str, str]


class Template(Strict):
    metadata: Labelled
    spec: Pod


class DeploymentSpec(Strict):
    replicas: int
    selector: Labels
    template: Template


class Deployment(Strict, tag="Deployment", tag_field="kind"):
    api_version: Literal["apps/v1"]
    metadata: Named
    spec: DeploymentSpec


class JobSpec(Strict):
    backoff_limit: int
    template: Template


class Job(Strict, tag="Job", tag_field="kind"):
    api_version: Literal["batch/v1"]
    metadata: Named
    spec: JobSpec


class ServiceSpec(Strict):
    selector: dict[str, str]
    ports: list[Socket]


class Service(Strict, tag="Service", tag_field="kind"):
    api_version: Literal["v1"]
    metadata: Named
    spec: ServiceSpec


class ClaimSpec(Strict):
    access_modes: list[Literal["ReadWriteOnce", "ReadWriteOncePod"]]
    resources: Resources


class PersistentVolumeClaim(Strict, tag="PersistentVolumeClaim", tag_field="kind"):
    api_version: Literal["v1"]
    metadata: Named
    spec: ClaimSpec


class Peer(Strict):
    pod_selector: Labels


class Ingress(Strict, rename={"from_": "from"}):
    from_: list[Peer]
    ports: list[Socket]


class PolicySpec(Strict):
    pod_selector: Labels
    policy_types: list[Literal["Ingress", "Egress"]]
    ingress: list[Ingress]


class NetworkPolicy(Strict, tag="NetworkPolicy", tag_field="kind"):
    api_version: Literal["networking.k8s.io/v1"]
    metadata: Named
    spec: PolicySpec


Manifest = Deployment | Job | Service | PersistentVolumeClaim | NetworkPolicy


@pytest.fixture(scope="module")
def compose() -> Compose:
    return msgspec.convert(yaml.safe_load((PLACE / "compose.yaml").read_text()), Compose)


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    documents = yaml.safe_load_all((PLACE / "kubernetes.yaml").read_text())
    return msgspec.convert(list(documents), list[Manifest])


def takes(words: list[str]) -> click.Context:
    """The crawler takes this command. Raises click.UsageError otherwise."""
    name, *more = words
    cli.load(name)
    return cli.commands[name].make_context(name, list(more))


def test_what_compose_starts_the_crawler_takes(compose: Compose) -> None:
    ours = [one for one in compose.services.values() if one.image == "crawler"]
    assert [one.command[0] for one in ours] == ["crawl", "work"]
    for one in ours:
        takes(one.command)
        assert one.environment == {"CRAWLER_REDIS": "redis://valkey:6379"}
        assert one.init, "whom its processes leave behind somebody must wait for"


def test_compose_names_only_what_is_there(compose: Compose) -> None:
    for one in compose.services.values():
        assert set(one.networks) <= set(compose.networks)
        assert set(one.depends_on) <= set(compose.services)
        for volume in one.volumes:
            source = volume.partition(":")[0]
            assert source in compose.volumes or (PLACE / source).exists()
        if one.build is not None:
            assert (PLACE / one.build.context / one.build.dockerfile).is_file()
    assert compose.networks["engine"].internal
    assert compose.services["valkey"].networks == ["engine"]


def test_the_engine_throws_nothing_away_by_itself(compose: Compose) -> None:
    command = " ".join(compose.services["valkey"].command)
    assert "--maxmemory-policy noeviction" in command


def pods(manifests: list[Manifest]) -> dict[str, Template]:
    return {
        one.metadata.name: one.spec.template
        for one in manifests
        if isinstance(one, Deployment | Job)
    }


def test_what_kubernetes_starts_the_crawler_takes(manifests: list[Manifest]) -> None:
    for name, word in (("conductor", "crawl"), ("worker", "work")):
        [running] = pods(manifests)[name].spec.containers
        assert running.args[0] == word
        takes(running.args)
        assert [one.name for one in running.env] == ["CRAWLER_REDIS"]


def test_kubernetes_is_told_of_nothing_that_is_not_there(manifests: list[Manifest]) -> None:
    names = {(type(one).__name__, one.metadata.name) for one in manifests}
    made = PLACE.joinpath("kubernetes.yaml").read_text()
    for template in pods(manifests).values():
        mounted = {
            one.name for running in template.spec.containers for one in running.volume_mounts
        }
        assert mounted == {one.name for one in template.spec.volumes}
        for volume in template.spec.volumes:
            claim, config = volume.persistent_volume_claim, volume.config_map
            assert claim is None or ("PersistentVolumeClaim", claim.claim_name) in names
            assert config is None or f"create configmap {config.name} " in made
        for running in template.spec.containers:
            for variable in running.env:
                asked = variable.value_from.secret_key_ref
                assert f"secret generic {asked.name} " in made
                assert f"--from-literal={asked.key}=" in made
    for one in manifests:
        if isinstance(one, Deployment):
            assert (
                one.spec.selector.match_labels.items() <= one.spec.template.metadata.labels.items()
            )


def test_who_may_reach_the_engine_is_who_needs_it(manifests: list[Manifest]) -> None:
    [policy] = [one for one in manifests if isinstance(one, NetworkPolicy)]
    [service] = [one for one in manifests if isinstance(one, Service)]
    wanted = policy.spec.ingress[0].from_[0].pod_selector.match_labels.items()
    reach = {name for name, pod in pods(manifests).items() if wanted <= pod.metadata.labels.items()}
    assert reach == {"conductor", "worker"}
    assert policy.spec.pod_selector.match_labels == service.spec.selector == {"app": "valkey"}


def test_a_crawl_that_has_ended_is_not_begun_again(manifests: list[Manifest]) -> None:
    conductor = pods(manifests)["conductor"].spec
    assert isinstance({one.metadata.name: one for one in manifests}["conductor"], Job)
    assert conductor.restart_policy == "OnFailure"


@pytest.mark.parametrize("name", ["compose.yaml", "kubernetes.yaml"])
def test_a_misspelt_field_is_refused(name: str) -> None:
    """That these tests can fail."""
    text = (PLACE / name).read_text()
    broken = text.replace("image: crawler", "imagine: crawler", 1)
    assert broken != text
    kind: Any = Compose if name == "compose.yaml" else list[Manifest]
    documents = list(yaml.safe_load_all(broken))
    with pytest.raises(msgspec.ValidationError, match="imagine"):
        msgspec.convert(documents[0] if kind is Compose else documents, kind)


# systemd


def verified(unit: Path, text: str, folder: Path) -> list[str]:
    """What systemd has to say of a unit with this text."""
    require_program("systemd-analyze", "apt-get install systemd")
    instance = unit.name.replace("@.", "@2-4.")
    for name in {instance, unit.name}:
        (folder / name).write_text(text.replace("/opt/crawler/bin/crawler", sys.executable))
    ran = subprocess.run(
        ["systemd-analyze", "verify", str(folder / instance)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return [line for line in ran.stderr.splitlines() if unit.stem.rstrip("@") in line]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_each_unit(unit: Path, tmp_path: Path) -> None:
    text = unit.read_text()
    assert verified(unit, text, tmp_path) == []
    assert verified(unit, text.replace("LimitNOFILE=", "LimitNOFILES="), tmp_path)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_what_systemd_starts_the_crawler_takes(unit: Path) -> None:
    [line] = re.findall(r"^ExecStart=(.+)$", unit.read_text(), re.MULTILINE)
    told = {"%d": "/run/credentials/x", "%I": "2/4", "%i": "2-4", "%S": "/var/lib"}
    for word, meaning in told.items():
        line = line.replace(word, meaning)
    program, *words = shlex.split(line)
    assert program == "/opt/crawler/bin/crawler"
    context = takes(words)
    assert context.params["redis"] == "/run/credentials/x/redis"


def test_the_image_is_of_what_there_is() -> None:
    text = (PLACE / "Dockerfile").read_text()
    extras = re.findall(r"'\.\[([a-z,]+)\]'", text)[0].split(",")
    project = (ROOT / "pyproject.toml").read_text()
    assert [one for one in extras if not re.search(rf"^{one} = \[", project, re.MULTILINE)] == []
    words = {line.split()[0] for line in _instructions(text)}
    assert words == {"FROM", "RUN", "WORKDIR", "COPY", "USER", "ENV", "ENTRYPOINT", "CMD"}


def _instructions(text: str) -> list[str]:
    """Without comments, one line each."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [line for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line.strip()]
