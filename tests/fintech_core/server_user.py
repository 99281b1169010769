"""A real process that uses the embedded servers, driven line by line, and what a test can see of them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, LiteralString

import psycopg
import redis

FINTECH_CORE = Path(__file__).resolve().parent.parent.parent / "fintech_core"
ANSWER_TIMEOUT_S = 60.0
GONE_TIMEOUT_S = 10.0

# The package by its own name, at the end of the path: the standard library is all that it needs.
SCRIPT = """
import dataclasses, json, os, sys, threading, time
from pathlib import Path
sys.path.append(sys.argv[1])
import embedded

def ensure(**more):
    started = time.monotonic()
    servers = embedded.ensure(Path(sys.argv[2]), **more)
    seconds = time.monotonic() - started
    return {"seconds": seconds, **{name: str(value) for name, value in dataclasses.asdict(servers).items()}}

for line in sys.stdin:
    match line.strip():
        case "ensure":
            answer = ensure()
        case "ensure tuned":
            answer = ensure(tuning={"shared_buffers": "64MB"})
        case "threads":
            threads = [threading.Thread(target=ensure) for _ in range(8)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            answer = {"threads": len(threads)}
        case "fork":
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            answer = {"child": child}
        case "modules":
            answer = {"modules": sorted({name.partition(".")[0] for name in sys.modules})}
    print(json.dumps(answer), flush=True)
"""


class ServerUser:
    """A process that uses the servers of ``local_dir``. Leaves them at the end of the ``with``."""

    def __init__(
        self,
        local_dir: Path,
        *,
        prefix: Sequence[str] = (),
        python: str = sys.executable,
        package: Path = FINTECH_CORE,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.local_dir = local_dir
        self.process = subprocess.Popen(
            [*prefix, python, "-c", SCRIPT, str(package), str(local_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
            env=env,
            start_new_session=True,
        )
        self.servers: dict[str, Any] = {}

    def __enter__(self) -> "ServerUser":
        self.ensure()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def send(self, command: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, "the process ended without an answer"
        found: dict[str, Any] = json.loads(line)
        return found

    def ask(self, command: str) -> dict[str, Any]:
        self.send(command)
        return self.answer()

    def ensure(self, command: str = "ensure") -> dict[str, Any]:
        self.servers = self.ask(command)
        return self.servers

    def leave(self) -> None:
        """End the process by the end of its input."""
        assert self.process.stdin
        self.process.stdin.close()
        self.wait()

    def kill(self) -> None:
        self.process.kill()
        self.wait()

    def wait(self) -> int:
        """Wait for the end of the process and return its status."""
        status = self.process.wait(ANSWER_TIMEOUT_S)
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        return status

    def sql(
        self, query: LiteralString, *values: str, url: str = "owner_database_url"
    ) -> list[tuple[Any, ...]]:
        """Run a statement in a session and a transaction of its own."""
        with psycopg.connect(self.servers[url], autocommit=True) as connection:
            cursor = connection.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def redis(self) -> "redis.Redis[str]":
        return redis.Redis.from_url(self.servers["redis_url"], decode_responses=True)

    def remember(self, text: str) -> None:
        """Write ``text`` to both servers."""
        self.sql("CREATE TABLE IF NOT EXISTS memory (text text)")
        self.sql("INSERT INTO memory VALUES (%s)", text)
        with self.redis() as client:
            client.rpush("memory", text)

    def memories(self) -> tuple[list[str], list[str]]:
        """Return what both servers remember."""
        with self.redis() as client:
            return [text for (text,) in self.sql("SELECT text FROM memory")], client.lrange("memory", 0, -1)

    def pid_of(self, part: str) -> int:
        """Return the pid of this process, of its ``keeper``, of ``postgres`` or of ``valkey``."""
        match part:
            case "user":
                return self.process.pid
            case "keeper":
                return next(
                    pid for pid, text in processes(self.local_dir).items() if ".keeper import" in text
                )
            case "postgres":
                return int((self.local_dir / "pg" / "postmaster.pid").read_text().splitlines()[0])
            case "valkey":
                with self.redis() as client:
                    return int(client.info("server")["process_id"])
        raise ValueError(part)


def kill(pid: int) -> None:
    """Kill a process and wait until the kernel has closed what it had open."""
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + GONE_TIMEOUT_S
    while is_alive(pid):
        assert time.monotonic() < deadline, f"{pid} does not die"
        time.sleep(0.001)


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def processes(local_dir: Path, *more: str) -> dict[int, str]:
    """Return the command lines of all live processes that mention the folder, or work in it, by pid."""
    words = [os.fsencode(local_dir), *map(os.fsencode, more)]
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
            texts = [(entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()]
            texts.append(os.fsencode((entry / "cwd").readlink()))
        except OSError:
            continue
        if state != "Z" and any(word in text for word in words for text in texts):
            found[int(entry.name)] = texts[0].replace(b"\0", b" ").decode(errors="replace")
    found.pop(os.getpid(), None)
    return found


def assert_nothing_is_left(local_dir: Path, socket_dir: str) -> None:
    """Wait for the servers to be gone, then for the sockets; fail with what is still there."""
    deadline = time.monotonic() + GONE_TIMEOUT_S
    while (processes(local_dir, socket_dir) or Path(socket_dir).exists()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert processes(local_dir, socket_dir) == {}
    assert not Path(socket_dir).exists()
