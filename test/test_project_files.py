"""Files for GitHub, containers and editors parse, and name targets, scripts and versions that exist."""

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

import loftr_ros

ROOT = Path(__file__).resolve().parents[1]
YAML_FILES = [
    ROOT / ".pre-commit-config.yaml",
    ROOT / "CITATION.cff",
    *sorted((ROOT / ".github").rglob("*.yml")),
    *sorted((ROOT / "config").glob("*.yaml")),
]
SCRIPTS = [ROOT / ".github/workflows/ci.yml", ROOT / ".devcontainer/devcontainer.json", ROOT / ".ci/run"]
SCRIPTS.append(ROOT / "docker/Dockerfile")


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: path.name)
def test_yaml(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text()), dict)


@pytest.mark.parametrize("name", [".devcontainer/devcontainer.json", "config/foxglove.json"])
def test_json(name: str) -> None:
    assert json.loads((ROOT / name).read_text())


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_make_targets_and_tools_exist(path: Path) -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = path.read_text()
    assert set(re.findall(r"\bmake ([a-z]+)\b", text)) <= targets
    for script in re.findall(r"\btools/[\w.]+", text):
        assert (ROOT / script).is_file(), script


def test_commands_of_the_workflow() -> None:
    """Steps run a shell command or an action; matrix values are used; paths of tests exist."""
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    assert {"quick", "test", "colcon"} <= set(jobs)
    for name, job in jobs.items():
        assert all(("run" in step) != ("uses" in step) for step in job["steps"]), name
        assert set(re.findall(r"matrix\.(\w+)", json.dumps(job))) == set(job["strategy"]["matrix"]), name
        assert set(map(str, job.get("needs", "quick").split())) <= set(jobs), name
    paths = re.findall(r"pytest [^\n]*?(test/\w+)", (ROOT / ".github/workflows/ci.yml").read_text())
    assert paths
    assert all((ROOT / path).exists() for path in paths)


def test_hooks_call_installed_tools() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    makefile = (ROOT / "Makefile").read_text()
    tools = [shlex.split(hook["entry"])[0] for hook in repository["hooks"]]
    assert all(tool == "sh" or tool.replace(".venv/bin", "$(BIN)") in makefile for tool in tools)


def test_citation_has_the_version_of_the_package() -> None:
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == loftr_ros.__version__
