"""The embedded servers as a stranger meets them: real processes, real kills, real folders."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import environ
import kombu
import psycopg
import pytest

from tests.fintech_core.server_user import ServerUser, assert_nothing_is_left, kill, processes

pytestmark = pytest.mark.flow

CHECKOUT = Path(__file__).resolve().parent.parent.parent
START_LIMIT_S = 5.0


@pytest.fixture
def local_dir(tmp_path: Path) -> Path:
    return tmp_path / "local"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerUser]:
    """A process that has the servers up, for tests that only look."""
    with ServerUser(tmp_path_factory.mktemp("shared") / "local") as user:
        yield user


class TestServers:
    def test_database_urls_mean_the_same_to_libpq_and_to_environ(self, user: ServerUser) -> None:
        for name, role in (("database_url", "fintech_app"), ("owner_database_url", "fintech_owner")):
            parsed = environ.Env.db_url_config(user.servers[name])
            assert (parsed["USER"], parsed["NAME"], parsed["PORT"]) == (role, "fintech", 5432)
            assert parsed["OPTIONS"] == {"host": user.servers["socket_dir"]}
            assert user.sql("SELECT current_user, current_database()", url=name) == [(role, "fintech")]

    def test_celery_broker_url_carries_a_message(self, user: ServerUser) -> None:
        with kombu.Connection(user.servers["celery_broker_url"]) as connection:
            queue = connection.SimpleQueue("round-trip")
            queue.put({"id": 1})
            message = queue.get(timeout=5)
            assert message.payload == {"id": 1}
            message.ack()
            queue.close()

    def test_roles_have_what_they_need_and_no_more(self, user: ServerUser) -> None:
        rows = user.sql(
            "SELECT rolname, rolcanlogin, rolcreatedb, "
            "rolsuper OR rolcreaterole OR rolreplication OR rolbypassrls "
            "FROM pg_roles WHERE rolname LIKE 'fintech%' ORDER BY rolname"
        )
        assert rows == [("fintech_app", True, False, False), ("fintech_owner", True, True, False)]
        assert user.sql(
            "SELECT pg_has_role('fintech_owner', 'fintech_app', 'MEMBER'), "
            "pg_has_role('fintech_app', 'fintech_owner', 'MEMBER')"
        ) == [(True, False)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            user.sql("CREATE TABLE mine (id int)", url="database_url")
        assert user.sql("SELECT to_regclass('mine')") == [(None,)]

    def test_owner_can_drop_a_database_that_the_application_uses(self, user: ServerUser) -> None:
        user.sql("CREATE DATABASE scratch")
        url = user.servers["database_url"].replace("/fintech?", "/scratch?")
        with psycopg.connect(url) as connection:
            user.sql("DROP DATABASE scratch WITH (FORCE)")
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")

    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("statement_timeout", "10s"), ("lock_timeout", "5s"),
            ("idle_in_transaction_session_timeout", "15s"), ("synchronous_commit", "on"), ("fsync", "on"),
            ("full_page_writes", "on"), ("data_checksums", "on"), ("listen_addresses", ""),
            ("max_connections", "300"), ("shared_buffers", "256MB"), ("TimeZone", "UTC"),
            ("server_encoding", "UTF8"),
        ],
    )  # fmt: skip
    def test_application_session_has(self, user: ServerUser, setting: str, value: str) -> None:
        assert user.sql("SELECT current_setting(%s)", setting, url="database_url") == [(value,)]

    def test_valkey_forgets_nothing_and_listens_to_no_network(self, user: ServerUser) -> None:
        expected = {"appendonly": "yes", "maxmemory-policy": "noeviction", "port": "0"}
        with user.redis() as client:
            assert client.config_get(*expected) == expected

    def test_sockets_are_closed_to_others(self, user: ServerUser) -> None:
        assert Path(user.servers["socket_dir"]).stat().st_mode & 0o777 == 0o700

    def test_module_loads_neither_django_nor_a_client(self, user: ServerUser) -> None:
        assert not {"django", "celery", "psycopg", "redis"} & set(user.ask("modules")["modules"])

    def test_threads_share_one_hold(self, user: ServerUser) -> None:
        assert user.ask("threads") == {"threads": 8}

    def test_command_line_prints_exports_and_opens_psql(self, user: ServerUser) -> None:
        environment = {**os.environ, "LOCAL_DIR": str(user.local_dir)}
        environment = {
            k: v for k, v in environment.items() if k not in ("DATABASE_URL", "DATABASE_OWNER_URL")
        }
        command = [sys.executable, "-m", "fintech_core.embedded"]

        def run(*arguments: str) -> str:
            return subprocess.run(
                [*command, *arguments],
                env=environment,
                cwd=CHECKOUT,
                capture_output=True,
                text=True,
                check=True,
            ).stdout

        assert f"export DATABASE_URL='{user.servers['database_url']}'" in run().splitlines()
        assert run("psql", "-X", "-t", "-A", "-c", "SELECT current_user").strip() == "fintech_owner"


class TestTuning:
    def test_who_starts_the_server_decides_and_a_restart_keeps_it(self, local_dir: Path) -> None:
        starting, joining = ServerUser(local_dir), ServerUser(local_dir)
        starting.ensure("ensure tuned")
        kill(starting.pid_of("postgres"))
        joining.ensure()
        told = joining.sql("SELECT current_setting('shared_buffers'), current_setting('fsync')")
        starting.leave()
        joining.leave()
        assert told == [("64MB", "on")]


class TestLifetime:
    def test_starts_in_time_keeps_data_and_leaves_nothing(self, local_dir: Path) -> None:
        with ServerUser(local_dir) as user:
            first = user.servers["seconds"]
            again = user.ensure()["seconds"]
            user.remember("before the restart")
        assert_nothing_is_left(local_dir, user.servers["socket_dir"])
        with ServerUser(local_dir) as later:
            second = later.servers["seconds"]
            assert later.memories() == (["before the restart"], ["before the restart"])
        assert_nothing_is_left(local_dir, user.servers["socket_dir"])
        sys.stdout.write(f"first start {first:.2f} s, second {second:.2f} s, already running {again:.3f} s\n")
        assert first < START_LIMIT_S
        assert second < START_LIMIT_S

    def test_five_simultaneous_starts_share_one_keeper(self, local_dir: Path) -> None:
        users = [ServerUser(local_dir) for _ in range(5)]
        for user in users:
            user.send("ensure")
        for user in users:
            user.servers = user.answer()
        assert (
            len({(user.pid_of("keeper"), user.pid_of("postgres"), user.pid_of("valkey")) for user in users})
            == 1
        )
        assert len([text for text in processes(local_dir).values() if ".keeper import" in text]) == 1
        for user in users[:-1]:
            user.kill()
        time.sleep(0.5)
        assert users[-1].sql("SELECT 1") == [(1,)]
        users[-1].kill()
        assert_nothing_is_left(local_dir, user.servers["socket_dir"])

    def test_ctrl_c_of_one_user_does_not_reach_the_servers(self, local_dir: Path) -> None:
        first = ServerUser(local_dir)
        first.ensure()
        with ServerUser(local_dir) as second:
            os.killpg(first.process.pid, signal.SIGINT)
            first.wait()
            time.sleep(0.5)
            assert second.sql("SELECT 1") == [(1,)]
        assert_nothing_is_left(local_dir, first.servers["socket_dir"])

    def test_a_forked_child_keeps_the_servers(self, local_dir: Path) -> None:
        user = ServerUser(local_dir)
        user.ensure()
        child = user.ask("fork")["child"]
        user.kill()
        time.sleep(0.5)
        assert user.sql("SELECT 1") == [(1,)]
        kill(child)
        assert_nothing_is_left(local_dir, user.servers["socket_dir"])

    def test_removing_the_folder_ends_the_servers(self, local_dir: Path) -> None:
        with ServerUser(local_dir) as user:
            shutil.rmtree(local_dir)
            deadline = time.monotonic() + 20
            while list(processes(local_dir)) != [user.process.pid] and time.monotonic() < deadline:
                time.sleep(0.05)
            assert list(processes(local_dir)) == [user.process.pid]
            assert not Path(user.servers["socket_dir"]).exists()


class TestHealing:
    @pytest.mark.parametrize("part", ["user", "keeper", "postgres", "valkey"])
    def test_data_survive_kill_9(self, local_dir: Path, part: str) -> None:
        user = ServerUser(local_dir)
        user.ensure()
        user.remember("before the kill")
        kill(user.pid_of(part))
        if part == "user":
            user.wait()
            assert_nothing_is_left(local_dir, user.servers["socket_dir"])
        with ServerUser(local_dir) as later:
            later.remember("after the kill")
            assert later.memories() == (["before the kill", "after the kill"],) * 2
            user.kill()
        assert_nothing_is_left(local_dir, user.servers["socket_dir"])

    @pytest.mark.parametrize("part", ["postgres", "valkey"])
    def test_a_killed_server_comes_back_for_who_is_there(self, user: ServerUser, part: str) -> None:
        killed = user.pid_of(part)
        kill(killed)
        user.ensure()
        assert user.pid_of(part) != killed
        assert user.sql("SELECT 1") == [(1,)]

    def test_a_killed_keeper_takes_the_servers_along(self, local_dir: Path) -> None:
        user = ServerUser(local_dir)
        user.ensure()
        kill(user.pid_of("keeper"))
        deadline = time.monotonic() + 10
        while len(processes(local_dir)) > 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert list(processes(local_dir)) == [user.process.pid]
        user.kill()
        Path(user.servers["socket_dir"]).rmdir()

    def test_a_kill_in_the_middle_of_initdb_heals(self, local_dir: Path) -> None:
        user = ServerUser(local_dir)
        user.send("ensure")
        deadline = time.monotonic() + 10
        while not (local_dir / "pg.new" / "base").exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        user.kill()
        for pid, text in processes(local_dir).items():
            if ".keeper import" in text:
                kill(pid)
        assert not (local_dir / "pg").exists()
        with ServerUser(local_dir) as later:
            assert later.sql("SELECT 1", url="database_url") == [(1,)]
        assert_nothing_is_left(local_dir, later.servers["socket_dir"])

    def test_a_missing_database_or_role_is_put_back(self, local_dir: Path) -> None:
        with ServerUser(local_dir) as user:
            postgres = user.servers["superuser_database_url"].replace("/fintech?", "/postgres?")
            with psycopg.connect(postgres, autocommit=True) as connection:
                connection.execute("DROP DATABASE fintech")
                connection.execute("DROP ROLE fintech_app")
        assert_nothing_is_left(local_dir, user.servers["socket_dir"])
        with ServerUser(local_dir) as later:
            assert later.sql("SHOW lock_timeout", url="database_url") == [("5s",)]

    @pytest.mark.parametrize("state", ["alive", "zombie"])
    def test_a_reused_pid_does_not_pass_for_a_server(self, local_dir: Path, state: str) -> None:
        user = ServerUser(local_dir)
        user.ensure()
        kill(user.pid_of("postgres"))
        kill(user.pid_of("keeper"))
        user.kill()
        assert_no_server(local_dir)
        data = local_dir / "pg"
        owner = data.stat().st_uid
        stranger = subprocess.Popen(["sleep", "60"], user=owner if os.geteuid() == 0 else None)
        if state == "zombie":
            stranger.kill()
        pid_file = data / "postmaster.pid"
        pid_file.write_text(f"{stranger.pid}\n{data}\n{int(time.time())}\n5432\n\n\n\nready\n")
        os.chown(pid_file, owner, -1)
        with ServerUser(local_dir) as later:
            assert later.pid_of("postgres") != stranger.pid
            assert later.sql("SELECT 1") == [(1,)]
        assert state == "zombie" or stranger.poll() is None, "a stranger was ended"
        stranger.kill()
        stranger.wait()


class TestPlaces:
    @pytest.mark.parametrize("name", ["with a space, 'quotes' and ünïcode", "x" * 100])
    def test_folder_of_any_name(self, tmp_path: Path, name: str) -> None:
        local_dir = tmp_path / name
        if name.startswith("x"):
            local_dir = tmp_path / ("x" * max(1, 149 - len(str(tmp_path))))
            assert len(str(local_dir)) >= 150
        with ServerUser(local_dir) as user:
            user.remember("here")
            assert user.memories() == (["here"], ["here"])
        assert_nothing_is_left(local_dir, user.servers["socket_dir"])

    def test_two_side_by_side_do_not_meet(self, tmp_path: Path) -> None:
        with ServerUser(tmp_path / "one") as one, ServerUser(tmp_path / "two") as two:
            one.remember("of one")
            two.remember("of two")
            assert one.memories() == (["of one"], ["of one"])
            assert two.memories() == (["of two"], ["of two"])
        assert_nothing_is_left(one.local_dir, one.servers["socket_dir"])
        assert_nothing_is_left(two.local_dir, two.servers["socket_dir"])

    def test_a_socket_folder_of_somebody_else_is_refused(self, local_dir: Path) -> None:
        with ServerUser(local_dir) as user:
            socket_dir = Path(user.servers["socket_dir"])
        assert_nothing_is_left(local_dir, str(socket_dir))
        planted = local_dir / "planted"
        planted.mkdir()
        socket_dir.symlink_to(planted)
        try:
            later = ServerUser(local_dir)
            later.send("ensure")
            assert later.wait() == 1
            assert list(planted.iterdir()) == []
        finally:
            socket_dir.unlink()


def assert_no_server(local_dir: Path) -> None:
    deadline = time.monotonic() + 10
    while processes(local_dir) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert processes(local_dir) == {}
