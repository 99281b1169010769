"""Where the output of the supervised processes goes: one terminal, one log file each."""

import os
import sys
import threading
from pathlib import Path
from typing import IO, TextIO

COLOURS = (36, 33, 32, 35, 34, 31)
LOG_LIMIT_BYTES = 10_000_000
LINE_LIMIT_BYTES = 65_536


class Output:
    """Prefixes every line with the name of its process; coloured on a terminal unless NO_COLOR is set."""

    def __init__(self, names: list[str], log_dir: Path, stream: TextIO | None = None) -> None:
        self._stream: TextIO | None = stream or sys.stdout
        self._log_dir = log_dir
        self._lock = threading.Lock()
        width = max(len(name) for name in names)
        in_colour = self._stream.isatty() and not os.environ.get("NO_COLOR")
        self._prefixes: dict[str, str] = {}
        for number, name in enumerate(names):
            text = f"{name:<{width}} | "
            colour = COLOURS[number % len(COLOURS)]
            self._prefixes[name] = f"\x1b[{colour}m{text}\x1b[0m" if in_colour else text

    def follow(self, name: str, pipe: IO[bytes]) -> threading.Thread:
        """Copy a process's output line by line, in a thread of its own, until it ends."""
        thread = threading.Thread(target=self._copy, args=(name, pipe), name=f"output-{name}", daemon=True)
        thread.start()
        return thread

    def _copy(self, name: str, pipe: IO[bytes]) -> None:
        self._log_dir.mkdir(parents=True, exist_ok=True)
        path = self._log_dir / f"{name}.log"
        if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
        with pipe, path.open("ab", buffering=0) as log:
            while line := pipe.readline(LINE_LIMIT_BYTES):
                log.write(line)
                self.say(name, line.decode(errors="replace").rstrip("\r\n"))

    def say(self, name: str, text: str) -> None:
        """Write one line under a name. A terminal that has gone away is given up, the log files go on."""
        with self._lock:
            if self._stream is None:
                return
            try:
                self._stream.write(f"{self._prefixes[name]}{text}\n")
                self._stream.flush()
            except OSError:
                self._stream = None
