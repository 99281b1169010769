"""``python -m fintech_core.embedded``: print the URLs, or open psql.

    python -m fintech_core.embedded                 the URLs as shell exports
    python -m fintech_core.embedded psql [args]     psql on your own DATABASE_URL if set, else on ours

LOCAL_DIR is where the servers keep their data, by default ``.local`` in the checkout. They end with their
last user.
"""

import os
import shlex
import sys
from pathlib import Path
from typing import NoReturn

from . import EmbeddedError, ensure, keep_through_exec
from .layout import postgres_bin

CHECKOUT = Path(__file__).resolve().parent.parent.parent


def main(arguments: list[str]) -> int:
    local_dir = Path(os.environ.get("LOCAL_DIR") or CHECKOUT / ".local")
    try:
        if arguments[:1] == ["psql"]:
            open_psql(local_dir, arguments[1:])
        if arguments:
            sys.stderr.write(f"{__doc__}\n")
            return 2
        print_exports(local_dir)
    except EmbeddedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def print_exports(local_dir: Path) -> None:
    servers = ensure(local_dir)
    values = {
        "DATABASE_URL": servers.database_url,
        "DATABASE_OWNER_URL": servers.owner_database_url,
        "REDIS_URL": servers.redis_url,
        "CELERY_BROKER_URL": servers.celery_broker_url,
    }
    sys.stdout.writelines(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())


def open_psql(local_dir: Path, arguments: list[str]) -> NoReturn:
    """Become psql, which then holds the servers in place of this process."""
    url = os.environ.get("DATABASE_OWNER_URL") or os.environ.get("DATABASE_URL")
    if not url:
        url = ensure(local_dir).owner_database_url
        keep_through_exec(local_dir)
    psql = str(postgres_bin() / "psql")
    os.execv(psql, [psql, "-d", url, *arguments])  # noqa: S606  becoming psql is the point


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
