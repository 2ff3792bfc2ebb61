"""One version everywhere, a change log by its rules, a workflow for changes."""

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

from mipres import version

ROOT = Path(__file__).parents[2]
HEADING = re.compile(r"^## \[(.+?)\](?: - (\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def numbers(name: str) -> tuple[int, ...]:
    assert re.fullmatch(r"\d+\.\d+\.\d+", name), name
    return tuple(int(part) for part in name.split("."))


def test_the_code_its_package_and_its_images_have_one_version() -> None:
    assert tomllib.loads(text_of("pyproject.toml"))["project"]["version"] == version.VERSION
    files = ["docker-compose.yml", *(f"deploy/kubernetes/{path.name}" for path in MANIFESTS)]
    tags = {tag for name in files for tag in re.findall(r"registro-mipres:(\d[\w.]*)", text_of(name))}
    assert tags == {version.VERSION}
    assert f"image.version={version.VERSION} " in text_of("Dockerfile")
    assert f"\nwritten={version.VERSION}\n" in text_of("deploy/kubernetes/for-build.sh")


MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))


def test_the_change_log_has_the_newest_release_first() -> None:
    [(first, undated), *releases] = HEADING.findall(text_of("CHANGELOG.md"))
    assert (first, undated) == ("Unreleased", "")
    found = [numbers(name) for name, _date in releases]
    assert found == sorted(found, reverse=True)
    assert all(date for _name, date in releases)
    # What is tagged is not written on: the code is at the newest release or past it.
    assert numbers(version.VERSION) >= max(found, default=(0,))


def test_the_change_log_knows_only_the_kinds_of_its_format() -> None:
    kinds = re.findall(r"^### (.+)$", text_of("CHANGELOG.md"), re.MULTILINE)
    assert kinds
    assert set(kinds) <= KINDS


def steps() -> list[dict[str, Any]]:
    workflow = yaml.safe_load(text_of(".github/workflows/ci.yml"))
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_the_workflow_runs_the_checks_and_builds_the_image() -> None:
    commands = [step["run"] for step in steps() if "run" in step]
    assert ".ci/run" in commands
    assert "make check" in commands
    assert any(command.startswith("docker build ") and "--build-arg" in command for command in commands)


def test_the_job_of_each_python_installs_what_the_tests_without_servers_need() -> None:
    job = yaml.safe_load(text_of(".github/workflows/ci.yml"))["jobs"]["each-python"]
    installed = " ".join(step.get("run", "") for step in job["steps"])
    tests = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/**/test_*.py"))
    # The image has Git; the dictionary of Colombia comes with the program that reads it.
    packages = {"git": "git", "node": "nodejs", "hunspell": "hunspell hunspell-es"}
    needed = set(re.findall(r'mark\.needs\("(\w+)"\)', tests))
    assert "node" in needed
    assert [name for name in needed if packages[name] not in installed] == []


def test_the_workflow_takes_foreign_steps_by_their_digest_and_may_only_read() -> None:
    used = [step["uses"] for step in steps() if "uses" in step]
    assert used
    assert [name for name in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name)] == []
    assert yaml.safe_load(text_of(".github/workflows/ci.yml"))["permissions"] == {"contents": "read"}
