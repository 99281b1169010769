"""Contenders as the round sees them: something with a name that runs for some seconds and tells its rate."""

import json
import re
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import IO

from bench.ground import ROOT, SETTINGS, SQL, Ground

_TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
START_DELAY_S = 0.1


class Contender(ABC):
    """Something that can be measured."""

    name: str

    @abstractmethod
    def run(self, seconds: float) -> float:
        """Run for so long and return how much was done in a second."""

    @abstractmethod
    def close(self) -> None:
        """End what is still running."""


@dataclass
class Pool(Contender):
    """So many processes of ``bench.worker`` at once; they live from one round to the next, as workers do."""

    name: str
    ground: Ground
    contender: str
    processes: int = 4
    settings: str = SETTINGS
    extra: dict[str, str] = field(default_factory=dict)
    _running: list["subprocess.Popen[str]"] = field(default_factory=list)

    def run(self, seconds: float) -> float:
        """Let all processes start at one instant, and add up what they did."""
        if not self._running:
            self._start()
        start = time.monotonic() + START_DELAY_S
        for process in self._running:
            pipe = _pipe(process.stdin)
            pipe.write(f"go {start} {seconds}\n")
            pipe.flush()
        told = [json.loads(self._hear(process)) for process in self._running]
        return float(sum(one["done"] / one["elapsed_s"] for one in told))

    def _start(self) -> None:
        environment = {**self.ground.environment(self.settings), **self.extra}
        for number in range(self.processes):
            command = [sys.executable, "-m", "bench.worker", self.contender, str(number)]
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            self._running.append(process)
        for process in self._running:
            self._hear(process)

    def _hear(self, process: "subprocess.Popen[str]") -> str:
        line = _pipe(process.stdout).readline()
        if not line:
            raise RuntimeError(f"{self.name}: a process has ended with {process.wait()}")
        return line

    def close(self) -> None:
        """Let the processes end by themselves: nobody will tell them any more."""
        for process in self._running:
            _pipe(process.stdin).close()
        for process in self._running:
            process.wait(timeout=30)
            _pipe(process.stdout).close()
        self._running.clear()


@dataclass
class PgBench(Contender):
    """A script of ``sql/`` under pgbench with prepared statements; everybody pays ``merchant`` where there is one."""

    name: str
    ground: Ground
    script: str
    clients: int = 4
    merchant: int = 0

    def run(self, seconds: float) -> float:
        """Run the script; raises when pgbench or a statement fails."""
        account = self.ground.ask(
            "SELECT id FROM transactions_ledgeraccount WHERE code = 'customer_wallets' AND currency = 'NGN'"
        )
        command = [
            str(self.ground.servers.bin_dir / "pgbench"), "--protocol=prepared", "--no-vacuum",
            f"--file={SQL / self.script}", f"--client={self.clients}", f"--jobs={self.clients}",
            f"--time={max(1, round(seconds))}", f"--define=people={self.ground.people}",
            f"--define=account={account}", f"--define=merchant={self.merchant}", self.ground.url,
        ]  # fmt: skip
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        found = _TPS.search(ended.stdout)
        if ended.returncode != 0 or found is None or "failed transactions: 0" not in ended.stdout:
            raise RuntimeError(f"{self.name}: {ended.stdout}{ended.stderr}")
        return float(found[1])

    def close(self) -> None:
        """Nothing runs between two rounds."""


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise RuntimeError("the process has no pipe")
    return pipe
