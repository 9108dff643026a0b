"""The set-up: what counts as done, and what it would install, without installing anything."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.paths import ROOT

SCRIPTS = ROOT / "scripts"


@pytest.fixture
def setup(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """The set-up's module, with its environment in a folder of the test's."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    module = importlib.import_module("setup")
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    for name, path in {
        "VENV": venv,
        "PYTHON": venv / "bin" / "python",
        "INSTALLED": venv / ".lab-installed",
        "INSTALLING": venv / ".lab-installing",
        "EXAMPLE_INSTALLED": venv / ".lab-example-installed",
    }.items():
        monkeypatch.setattr(module, name, path)
    yield module
    del sys.modules["setup"]


def finished(setup: ModuleType) -> None:
    setup.PYTHON.touch()
    setup.INSTALLED.write_text(setup.inputs_hash())


def test_an_environment_is_done_by_its_mark_and_not_because_it_exists(setup: ModuleType) -> None:
    setup.PYTHON.touch()
    assert not setup.venv_is_current()
    finished(setup)
    assert setup.venv_is_current()


@pytest.mark.parametrize("broken", ["interrupted", "other inputs", "no interpreter"])
def test_an_environment_that_was_not_finished_is_not_done(setup: ModuleType, broken: str) -> None:
    finished(setup)
    if broken == "interrupted":
        setup.INSTALLING.touch()
    elif broken == "other inputs":
        setup.INSTALLED.write_text("something else")
    else:
        setup.PYTHON.unlink()
    assert not setup.venv_is_current()


def test_plugins_of_the_tests_are_installed_once_and_again_when_they_register_others(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = list[list[str]]()
    monkeypatch.setattr(setup, "pip", lambda name, arguments, keep: calls.append(arguments))
    monkeypatch.setattr(setup, "EXAMPLE", tmp_path)
    (tmp_path / "pyproject.toml").write_text("one")
    assert not setup.example_is_current()
    setup.install_example([])
    assert setup.example_is_current()
    needed, plugins = calls
    assert needed[-2:] == ["-r", "requirements-tests.lock"]
    assert "--require-hashes" in needed
    assert plugins[-2:] == ["--editable", str(tmp_path)]
    assert "--no-deps" in plugins
    (tmp_path / "pyproject.toml").write_text("two")
    assert not setup.example_is_current()


def test_only_what_lacks_is_installed(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    finished(setup)
    there = {"ip", "nsenter", "sysctl", "docker", "python"}
    monkeypatch.setattr("shutil.which", lambda name, path=None: name if name in there else None)
    assert setup.missing_packages(True) == ["docker.io", "iptables", "mmdebstrap"]
    assert setup.missing_packages(False) == []


@pytest.mark.parametrize(
    ("suite", "tests", "kernels"),
    [
        (
            "bookworm",
            [
                *("openssh-client", "nodejs", "chromium-headless-shell", "openvswitch-switch"),
                *("user-mode-linux", "gcc", "iperf3", "qemu-system-x86"),
            ],
            ["etcd-server"],
        ),
        ("noble", ["openssh-client", "nodejs"], []),
    ],
)
def test_only_tests_get_a_browser_and_other_kernels_and_only_where_their_packages_are_known(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, suite: str, tests: list[str], kernels: list[str]
) -> None:
    finished(setup)
    lacking = (
        *("ssh-agent", "node", "chromium-headless-shell", "ovs-vswitchd", "linux.uml"),
        *("qemu-system-x86_64", "cc", "iperf3", "etcd"),
    )
    monkeypatch.setattr("shutil.which", lambda name, path=None: None if name in lacking else name)
    monkeypatch.setattr(setup, "codename", lambda: suite)
    assert setup.missing_packages(True, True) == tests
    assert setup.missing_packages(True, True, True) == tests + kernels
    assert setup.missing_packages(True) == []


def test_debians_python_gets_its_venv_package(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: name)
    monkeypatch.setattr(setup, "has_venv", lambda: False)
    assert setup.missing_packages(True) == ["python3-venv"]


@pytest.mark.parametrize(("suite", "package"), [("bookworm", "docker.io"), ("trixie", "docker-cli")])
def test_the_docker_command_has_a_package_of_its_own_on_newer_suites(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, suite: str, package: str
) -> None:
    monkeypatch.setattr(setup, "codename", lambda: suite)
    assert setup.package_of("docker") == package


def test_without_root_one_sentence_says_so(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit) as ended:
        setup.main([])
    assert ended.value.code != 0
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1
    assert "root" in said.err


def step(*argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / "step.py"), "a step", "--", *argv]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_step_says_its_name_and_its_time_and_passes_a_failure_on() -> None:
    done = step("sh", "-c", "echo hello")
    assert re.fullmatch(r"==> a step\nhello\n    a step: done in [0-9.]+ s\n", done.stdout)
    failed = step("sh", "-c", "exit 7")
    assert failed.returncode == 7
    assert "a step: failed" in failed.stderr


def test_a_quiet_step_shows_the_end_of_its_log_when_it_fails(tmp_path: Path) -> None:
    words = "import sys, pathlib; sys.path.insert(0, sys.argv[1]); import step; "
    words += "step.quiet('q', ['sh', '-c', 'seq 100; exit 3'], pathlib.Path(sys.argv[2]))"
    argv = [sys.executable, "-c", words, str(SCRIPTS), str(tmp_path / "log")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "    100\n" in done.stderr
    assert "    79\n" not in done.stderr


def test_a_set_up_waits_for_what_a_killed_one_left_at_work(tmp_path: Path) -> None:
    """Two that fill one environment spoil it."""
    os.mkfifo(go := tmp_path / "go")
    words = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1]); import step; at = pathlib.Path(sys.argv[2]); "
    )
    words += "step.quiet('pip', ['sh', '-c', sys.argv[3]], at / 'log', keep=[step.hold_lock(at / 'lock')])"
    argv = [sys.executable, "-c", words, str(SCRIPTS), str(tmp_path)]
    killed = subprocess.Popen(
        [*argv, f"read x < {go}; echo over > {tmp_path}/over"], stdout=subprocess.DEVNULL
    )
    with go.open("w") as left:  # opens once its command reads
        killed.kill()
        killed.wait()
        again = [*argv, f"test -e {tmp_path}/over"]
        with subprocess.Popen(again, stdout=subprocess.PIPE, text=True) as waiting:
            assert waiting.stdout
            assert "another set-up is at work" in waiting.stdout.readline()
            left.write("go\n")
            left.close()
            assert "==> pip" in waiting.communicate(timeout=10)[0]
    assert waiting.returncode == 0


def pins(name: str) -> dict[str, str]:
    """Package and version of every pin of a lock file."""
    return dict(re.findall(r"^([a-z0-9][\w.-]*)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))


def test_every_dependency_is_pinned_with_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert needed(asked) <= set(pins("requirements.lock"))
    assert needed(project["optional-dependencies"]["tables"]) <= set(pins("requirements-tests.lock"))
    for name in ("requirements.lock", "requirements-tests.lock"):
        blocks = re.split(r"^(?=[a-z0-9])", (ROOT / name).read_text(), flags=re.MULTILINE)
        assert all("--hash=sha256:" in block for block in blocks if "==" in block)


def needed(wanted: list[str]) -> set[str]:
    """The names of packages in requirements."""
    return {re.split(r"[^\w.-]", need)[0].lower() for need in wanted}


def test_what_only_tests_need_is_not_what_users_get() -> None:
    assert not pins("requirements-tests.lock").keys() & pins("requirements.lock").keys()


def test_the_lock_of_the_tests_has_what_the_other_one_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    lock = importlib.import_module("lock")
    one = "numpy==2.0 \\\n    --hash=sha256:a\n"
    other = "numpy==2.0 \\\n    --hash=sha256:a\npandas==3.1 \\\n    --hash=sha256:b\n"
    assert lock.pins_beside(one, other) == "pandas==3.1 \\\n    --hash=sha256:b\n"


def test_what_builds_others_is_pinned_alike_in_both_files() -> None:
    assert pins("requirements-build.lock").items() <= pins("requirements.lock").items()


def test_no_file_of_the_set_up_names_a_mirror() -> None:
    for name in (
        "requirements.lock",
        "requirements-build.lock",
        "requirements-tests.lock",
        "pyproject.toml",
        "Makefile",
        "scripts/setup.py",
    ):
        assert not re.search(r"https?://|--index-url|--find-links", (ROOT / name).read_text()), name
