"""The supervisor over real programs; the worst fork, hide in sessions of their own and ignore SIGTERM."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fintech_core.supervisor import Process, Supervisor
from tests.fintech_core.server_user import processes

pytestmark = pytest.mark.flow

CHECKOUT = Path(__file__).resolve().parent.parent.parent

# argv: what to do on SIGTERM, a folder to leave a file in with each start, seconds until it dies by itself.
PROGRAM = """
import os, signal, sys, time
on_term, folder, lifetime = sys.argv[1], sys.argv[2], float(sys.argv[3])
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for number in range(3):
    if os.fork() == 0:
        if number:
            os.setsid()
        os.fork()
        while True:
            time.sleep(1)
open(f"{folder}/start-{os.getpid()}", "w").close()
print("up with 6 below", flush=True)
if on_term == "ends":
    signal.signal(signal.SIGTERM, lambda *_: (print("ending in order", flush=True), sys.exit(0)))
time.sleep(lifetime)
os._exit(3)
"""

# argv: the folder, then for each process its name, what it does on SIGTERM and its lifetime.
SUPERVISOR = """
import os, sys, time
from pathlib import Path
from fintech_core.supervisor import Process, Supervisor
folder, program, words = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
def process(name, on_term, lifetime):
    argv = [sys.executable, str(program), on_term, str(folder), lifetime]
    return Process(name, argv, ready=lambda: any(folder.glob("start-*")), stop_after_s=1)
processes = [process(*words[at:at + 3]) for at in range(0, len(words), 3)]
ready = lambda: print("all are up", flush=True)
sys.exit(Supervisor(processes, folder / "logs", on_ready=ready, restarts_per_minute=2).run())
"""


class Run:
    """A supervisor in a process of its own, and everything below it."""

    def __init__(self, folder: Path, *words: str, stdout: int | None = None) -> None:
        self.folder = folder
        program = folder / "program.py"
        program.write_text(PROGRAM)
        command = [sys.executable, "-c", SUPERVISOR, str(folder), str(program), *words]
        self.output = folder / "output"
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                command, stdout=stdout or file, cwd=CHECKOUT, start_new_session=True
            )

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 15
        while not condition():
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.02)

    def wait_until_up(self, programs: int) -> None:
        """Wait until so many programs have started in all, and the supervisor has said so."""
        self.wait_for(lambda: len(list(self.folder.glob("start-*"))) >= programs)
        self.wait_for(lambda: "all are up" in self.output.read_text())

    def guards(self) -> list[int]:
        return [pid for pid, text in processes(self.folder).items() if "guard.py" in text]

    def assert_nothing_is_left(self) -> None:
        self.wait_for(lambda: processes(self.folder) == {})


@pytest.fixture(autouse=True)
def nothing_outlives_its_test(tmp_path: Path) -> Iterator[None]:
    """A test that fails in the middle leaves a supervisor that would start its programs again for ever."""
    yield
    for pid in processes(tmp_path):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class TestStopping:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_a_signal_ends_all_in_order_then_by_force(self, tmp_path: Path, number: signal.Signals) -> None:
        run = Run(tmp_path, "polite", "ends", "60", "stubborn", "ignores", "60")
        run.wait_until_up(2)
        run.wait_for(lambda: len(processes(tmp_path)) == 1 + 2 * (1 + 1 + 6))
        run.process.send_signal(number)
        assert run.process.wait(15) == 0
        assert processes(tmp_path) == {}
        assert "polite   | ending in order\n" in run.output.read_text()

    def test_a_second_signal_does_not_wait(self, tmp_path: Path) -> None:
        run = Run(tmp_path, "stubborn", "ignores", "60")
        run.wait_until_up(1)
        run.process.send_signal(signal.SIGINT)
        run.wait_for(lambda: "stopping" in run.output.read_text())
        time.sleep(0.6)
        run.process.send_signal(signal.SIGINT)
        assert run.process.wait(15) == 0
        run.assert_nothing_is_left()

    def test_kill_9_of_the_supervisor_leaves_nothing(self, tmp_path: Path) -> None:
        run = Run(tmp_path, "polite", "ends", "60", "stubborn", "ignores", "60")
        run.wait_until_up(2)
        run.process.kill()
        run.process.wait()
        run.assert_nothing_is_left()

    def test_kill_9_before_all_are_up_leaves_nothing(self, tmp_path: Path) -> None:
        run = Run(tmp_path, "polite", "ends", "60")
        run.wait_for(lambda: bool(run.guards()))
        run.process.kill()
        run.process.wait()
        run.assert_nothing_is_left()


class TestDying:
    def test_a_killed_program_is_started_again_without_its_old_children(self, tmp_path: Path) -> None:
        run = Run(tmp_path, "web", "ends", "60")
        run.wait_until_up(1)
        before = processes(tmp_path)
        os.kill(int(next(tmp_path.glob("start-*")).name.removeprefix("start-")), signal.SIGKILL)
        run.wait_until_up(2)
        run.wait_for(lambda: len(processes(tmp_path)) == 1 + 1 + 1 + 6)
        assert set(processes(tmp_path)) & set(before) == {run.process.pid}
        assert "run | web ended (SIGKILL), again in 0.5 s" in run.output.read_text()
        run.process.terminate()
        assert run.process.wait(15) == 0
        run.assert_nothing_is_left()

    def test_a_killed_guard_leaves_nothing_behind(self, tmp_path: Path) -> None:
        run = Run(tmp_path, "web", "ignores", "60")
        run.wait_until_up(1)
        before = processes(tmp_path)
        os.kill(run.guards()[0], signal.SIGKILL)
        run.wait_until_up(2)
        run.wait_for(lambda: len(processes(tmp_path)) == 1 + 1 + 1 + 6)
        assert set(processes(tmp_path)) & set(before) == {run.process.pid}
        run.process.terminate()
        assert run.process.wait(15) == 0
        run.assert_nothing_is_left()

    def test_what_keeps_dying_ends_everything_with_a_message(self, tmp_path: Path) -> None:
        run = Run(tmp_path, "polite", "ends", "60", "mortal", "ends", "0.1")
        assert run.process.wait(20) == 1
        assert "mortal ended 3 times in a minute; stopping everything" in run.output.read_text()
        assert "mortal ended (exit 3), again in 1 s" in run.output.read_text()
        run.assert_nothing_is_left()

    def test_a_program_that_dies_before_it_is_ready_ends_everything_at_once(self, tmp_path: Path) -> None:
        missing = [str(tmp_path / "missing")]
        supervisor = Supervisor([Process("web", missing, ready=lambda: False)], tmp_path / "logs")
        assert supervisor.run() == 1
        assert "cannot start" in (tmp_path / "logs" / "web.log").read_text()

    def test_a_program_that_never_gets_ready_ends_everything(self, tmp_path: Path) -> None:
        waiting = Process("web", ["sleep", "60"], env={"MARK": str(tmp_path)}, ready=lambda: False)
        assert Supervisor([waiting], tmp_path / "logs", ready_timeout_s=0.3).run() == 1
        assert processes(tmp_path) == {}


class TestOutput:
    def test_lines_carry_their_name_and_go_to_a_log(self, tmp_path: Path) -> None:
        run = Run(tmp_path, "web", "ends", "60")
        run.wait_until_up(1)
        run.process.terminate()
        run.process.wait(15)
        assert run.output.read_text().startswith("web | up with 6 below\n")
        assert "\x1b" not in run.output.read_text()
        log = (tmp_path / "logs" / "web.log").read_text()
        assert log == "up with 6 below\nending in order\n"

    def test_names_are_coloured_on_a_terminal_only(self, tmp_path: Path) -> None:
        terminal, line = pty.openpty()
        run = Run(tmp_path, "web", "ends", "60", stdout=line)
        os.close(line)
        shown = b""
        while b"up with 6 below" not in shown:
            shown += os.read(terminal, 1024)
        run.process.terminate()
        assert run.process.wait(15) == 0
        os.close(terminal)
        assert b"\x1b[33mweb | \x1b[0mup with 6 below" in shown

    def test_two_processes_cannot_share_a_name(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="unique"):
            Supervisor([Process("web", ["true"]), Process("web", ["true"])], tmp_path)
