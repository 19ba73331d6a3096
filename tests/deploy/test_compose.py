"""What docker-compose.yml, the image and the secret files promise, read from the files: no Docker is needed."""

import ast
import re
import stat
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import settings as configuration

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"].startswith("hookledger:")]
_PUBLISHED = re.compile(r"\$\{[A-Z_]+:-(127\.0\.0\.1:\d+)\}:(\d+)")
PINNED = re.compile(r"[a-z/-]+:\d+\.\d+(\.\d+)?(-[a-z]+)*")

each_service = pytest.mark.parametrize("service", SERVICES.values(), ids=list(SERVICES))


def is_job(service: dict[str, Any]) -> bool:
    return service["restart"] == "no"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The secrets, as deploy/make-secrets makes them."""
    directory = tmp_path_factory.mktemp("compose") / "secrets"
    subprocess.run([ROOT / "deploy" / "make-secrets", directory], check=True, capture_output=True)
    return directory


@each_service
def test_images_are_pinned(service: dict[str, Any]) -> None:
    assert PINNED.fullmatch(service["image"])


def test_base_images_are_pinned_and_one() -> None:
    bases = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-[a-z]+", bases[0])


def test_our_image_has_the_version_of_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {SERVICES[name]["image"] for name in OURS} == {f"hookledger:{version}"}
    assert [name for name in OURS if "build" in SERVICES[name]] == ["migrate"]


@each_service
def test_nothing_runs_as_root_or_could_become_it(service: dict[str, Any]) -> None:
    assert service["user"].split(":")[0] not in {"", "0", "root"}
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "network_mode", "pid"} & service.keys()


@pytest.mark.parametrize("name", OURS)
def test_ours_are_bounded_and_never_swapped_to_a_disk(name: str) -> None:
    ours = SERVICES[name]
    assert ours["tmpfs"] == ["/tmp"]
    assert 64 <= ours["pids_limit"] <= 512
    assert ours["mem_limit"] == ours["memswap_limit"] == "2g"


def test_an_api_and_its_store_go_before_the_rest() -> None:
    shares = {name: service.get("cpu_shares", 1024) for name, service in SERVICES.items()}
    assert shares["api"] == shares["postgres"] == 1024
    assert {shares[name] for name in ("worker", "query", "temporal", "temporal-ui")} == {102}


def test_our_user_is_the_one_of_the_image() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert {f"USER {SERVICES[name]['user']}" for name in OURS} == {
        re.findall(r"^USER .*$", text, re.MULTILINE)[-1]
    }


@each_service
def test_is_a_job_or_has_a_health_check(service: dict[str, Any]) -> None:
    assert is_job(service) != ("healthcheck" in service)


@each_service
def test_waits_for_jobs_to_succeed_and_for_services_to_be_healthy(service: dict[str, Any]) -> None:
    for name, how in service.get("depends_on", {}).items():
        wanted = "service_completed_successfully" if is_job(SERVICES[name]) else "service_healthy"
        assert how == {"condition": wanted}


def test_the_spool_is_looked_at_in_the_container_that_has_it() -> None:
    """No other needs the volume: what waits in it are whole hooks."""
    having = {
        name
        for name, service in SERVICES.items()
        if any(volume.startswith("spool:") for volume in service.get("volumes", []))
    }
    told = {
        name
        for page in (ROOT / "docs").glob("*.md")
        for name in re.findall(r"docker compose exec (\w+) python cli\.py spool", page.read_text())
    }
    assert having == told == {"api"}


def test_api_does_not_wait_for_temporal() -> None:
    def needed(name: str) -> set[str]:
        return {name}.union(*(needed(other) for other in SERVICES[name].get("depends_on", {})))

    assert needed("api") == {"api", "migrate", "postgres"}
    assert needed("query") == {"query", "migrate", "postgres"}
    assert needed("worker") >= {"namespace", "temporal", "temporal-schema", "migrate", "postgres"}


def published(service: str) -> dict[str, str]:
    """Its ports in the container, with where the host has them."""
    found = [_PUBLISHED.fullmatch(port) for port in SERVICES[service].get("ports", [])]
    assert all(found)
    return {port[2]: port[1] for port in found if port}


def test_what_is_published_is_so_on_the_loopback_address() -> None:
    assert {name: list(ports) for name in SERVICES if (ports := published(name))} == {
        "temporal-ui": ["8080"],
        "api": ["8080", "9464"],
        "query": ["8081", "9465"],
        "worker": ["9466", "9467"],
    }


def test_prometheus_asks_where_each_process_tells() -> None:
    asked: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in asked["scrape_configs"]}
    metrics = tomllib.loads((ROOT / "deploy" / "hookledger.toml").read_text())["metrics"]
    assert metrics["host"] == "0.0.0.0"
    jobs = {"hookledger-temporal-sdk": ("worker", "temporal")} | {
        f"hookledger-{name}": (name, name) for name in ("api", "query", "worker")
    }
    assert targets == {job: [published(of)[str(metrics[port])]] for job, (of, port) in jobs.items()}


def test_postgres_and_temporal_are_reachable_by_the_stack_only() -> None:
    assert COMPOSE["networks"]["inside"]["internal"] is True
    for name in ("postgres", "temporal"):
        assert SERVICES[name]["networks"] == ["inside"]


def test_secrets_are_files_that_make_secrets_makes(made: Path) -> None:
    files = {path.name for path in made.iterdir()} - {".gitignore"}
    assert COMPOSE["secrets"] == {
        name: {"file": f"${{HOOKLEDGER_SECRETS:-./secrets}}/{name}"} for name in files
    }
    used = {name for service in SERVICES.values() for name in service.get("secrets", [])}
    assert used == files


def test_the_page_says_who_is_given_which_secret() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text()
    _, _, table = page.partition("| file | who is given it |\n| --- | --- |\n")
    told: dict[str, set[str]] = {}
    for line in table.partition("\n\n")[0].splitlines():
        files, who = line.strip("| ").split(" | ")
        told |= {name: set(who.split(", ")) for name in re.findall(r"`([^`]+)`", files)}
    assert told == {
        name: {who for who, service in SERVICES.items() if name in service.get("secrets", [])}
        for name in COMPOSE["secrets"]
    }


@each_service
def test_no_environment_holds_a_secret(service: dict[str, Any]) -> None:
    for name, value in service.get("environment", {}).items():
        assert name.endswith("_FILE") or not re.search(r"PASSWORD|PWD|SECRET|KEY|TOKEN", name)
        assert "://" not in value


def test_secrets_are_private_made_once_and_never_committed(made: Path) -> None:
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert (made / ".gitignore").read_text() == "*\n"
    before = {path.name: path.read_text() for path in made.iterdir()}
    passwords = [
        text
        for name, text in before.items()
        if name.startswith("postgres-") or (name.endswith(".key") and name != "webhook-next.key")
    ]
    assert before["webhook-next.key"] == "", "no key until it is filled"
    assert len(set(passwords)) == len(passwords)
    assert all(len(text.strip()) == 43 for text in passwords)
    subprocess.run([ROOT / "deploy" / "make-secrets", made], check=True, capture_output=True)
    assert {path.name: path.read_text() for path in made.iterdir()} == before


def configured(made: Path, tmp_path: Path, service: str) -> configuration.Settings:
    """deploy/hookledger.toml as that service reads it, with only the secrets that it is given."""
    mounted = tmp_path / "secrets"
    mounted.mkdir()
    for name in SERVICES[service]["secrets"]:
        (mounted / name).write_text((made / name).read_text())
    path = tmp_path / "hookledger.toml"
    path.write_text((ROOT / "deploy" / "hookledger.toml").read_text().replace("/run/secrets", str(mounted)))
    return configuration.load(path)


@pytest.mark.parametrize("name", OURS)
def test_our_configuration_loads_with_the_secrets_of_each_service(
    name: str, made: Path, tmp_path: Path
) -> None:
    settings = configured(made, tmp_path, name)
    assert settings.api.host == settings.query.host == "0.0.0.0"
    assert settings.store.url.startswith("postgresql://hookledger_app:")
    assert (settings.store.owner_url is not None) == (name == "migrate")


def test_the_image_has_every_package_that_its_code_imports() -> None:
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    missing = [name for name in let_in if "*" not in name and not (ROOT / name).exists()]
    assert missing == []
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    files = [file for name in let_in for place in ROOT.glob(name) for file in sources(place)]
    wanted = {name for file in files for name in imported(file) if name in packages}
    assert wanted <= {name.split("/")[0] for name in let_in}


def sources(place: Path) -> list[Path]:
    return sorted(place.rglob("*.py")) if place.is_dir() else [place] if place.suffix == ".py" else []


def imported(file: Path) -> set[str]:
    """The top-level names that the module imports when it is imported itself."""
    names: set[str] = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names
