"""Start the sandbox: `python -m sandbox --host 127.0.0.1 --port 8100 --book PATH.sqlite3`.

SIGTERM and Ctrl-C end it at once: what was answered is committed, what was not answered was not promised.
"""

import logging
import os
import signal
import sys
from collections.abc import Sequence

from sandbox.assembly import assemble, open_sandbox
from sandbox.server import SandboxServer
from sandbox.settings import read_settings


def main(arguments: Sequence[str]) -> None:
    """Listen until a signal ends the process."""
    settings = read_settings(arguments)
    logging.basicConfig(
        level=os.environ.get("SANDBOX_LOG_LEVEL", "INFO"), format="%(asctime)s %(name)s %(message)s"
    )
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    try:
        server = SandboxServer(settings.host, settings.port)
    except OSError as error:
        sys.exit(f"the sandbox cannot listen on {settings.host}:{settings.port}: {error}")
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{host}:{server.server_port}"
    server.answer = assemble(open_sandbox(settings, settings.public_url or address)).answer
    sys.stdout.write(f"sandbox listening on {address}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
