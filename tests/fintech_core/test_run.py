"""``manage.py run`` as a person uses it: one command up, one Ctrl-C down, nothing left over."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.clients import eventually
from tests.fintech_core.server_user import processes
from tests.stack import free_ports

pytestmark = pytest.mark.flow

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PATIENCE_S = 90
SERVERS = (
    "DATABASE_URL",
    "DATABASE_OWNER_URL",
    "REDIS_URL",
    "CELERY_BROKER_URL",
    "SANDBOX_URL",
    "PUBLIC_URL",
)


class Run:
    """The command in a process group of its own, with a LOCAL_DIR whose name has a space."""

    def __init__(self, local_dir: Path, output: Path) -> None:
        self.local_dir = local_dir
        self.port, self.sandbox_port = free_ports(2)
        self.address = f"http://127.0.0.1:{self.port}"
        self.output = output
        inherited = {name: value for name, value in os.environ.items() if name not in SERVERS}
        self.environment = {
            **inherited,
            "LOCAL_DIR": str(self.local_dir),
            "PORT": str(self.port),
            "SANDBOX_PORT": str(self.sandbox_port),
        }
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        with self.output.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "manage.py", "run", "--no-seed"],
                cwd=CHECKOUT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def wait_until_up(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while "Ctrl-C here ends everything" not in self.text():
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.1)

    def second(self, **changes: str) -> "subprocess.CompletedProcess[str]":
        """Start a second one beside this one and wait for its end."""
        return subprocess.run(
            [sys.executable, "manage.py", "run", "--no-seed"],
            cwd=CHECKOUT,
            env={**self.environment, **changes},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def left_over(self) -> dict[int, str]:
        """Return what still runs with this LOCAL_DIR: the servers by their command line, the rest by its port."""
        everything = processes(self.local_dir)
        for entry in Path("/proc").glob("[0-9]*/environ"):
            try:
                if f"LOCAL_DIR={self.local_dir}".encode() in entry.read_bytes().split(b"\0"):
                    everything[int(entry.parent.name)] = (entry.parent / "cmdline").read_text()
            except OSError:  # it has ended meanwhile
                continue
        return everything


@pytest.fixture(scope="module")
def local_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the first run makes and the second finds."""
    return tmp_path_factory.mktemp("run") / "local dir"


@pytest.fixture
def run(local_dir: Path, tmp_path: Path) -> Iterator[Run]:
    """A run that is up."""
    started = Run(local_dir, tmp_path / "output")
    try:
        started.wait_until_up()
        yield started
    finally:
        if started.process.poll() is None:
            os.killpg(started.process.pid, signal.SIGKILL)
            started.process.wait()
        eventually(lambda: started.left_over() == {}, "nothing is left over")


class TestRun:
    def test_it_serves_and_one_ctrl_c_ends_it(self, run: Run) -> None:
        assert httpx2.get(f"{run.address}/docs").status_code == 200
        eventually(
            lambda: httpx2.get(f"{run.address}/health/detailed").status_code == 200, "every part is healthy"
        )
        note = json.loads((run.local_dir / "run.json").read_text())
        assert (note["web"], note["pid"]) == (run.address, run.process.pid)
        assert f"{run.address}/docs" in run.text()

        beside = run.second()
        assert (beside.returncode, "runs already" in beside.stderr) == (1, True)
        taken = run.second(LOCAL_DIR=f"{run.local_dir} 2")
        assert (taken.returncode, "is taken by another program" in taken.stderr) == (1, True)

        os.killpg(run.process.pid, signal.SIGINT)
        assert run.process.wait(30) == 0
        eventually(lambda: run.left_over() == {}, "nothing is left over")
        assert not (run.local_dir / "run.json").exists()
        assert "Traceback" not in run.text()

    def test_kill_9_leaves_nothing(self, run: Run) -> None:
        run.process.kill()
        run.process.wait()
        eventually(lambda: run.left_over() == {}, "nothing is left over")
