"""Nobody waits in a circle: every step locks its wallets once, in one order. PostgreSQL's own counter is the judge."""

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from psycopg.conninfo import make_conninfo

from fintech_core.embedded import Layout
from tests import grounds
from tests.concurrency.racing import DONE, balances, hold, race, send, settle
from tests.databases import Databases, worker_name
from tests.factories import UserFactory
from tests.fintech_core.server_user import ServerUser, kill
from tests.transactions.money import fund, main_wallet
from users.models import User
from wallet.models import Wallet
from wallet.services import ensure_cashback_wallet


def deadlocks(databases: Databases) -> int:
    """Return how many deadlocks this test's database has seen."""
    return databases.deadlocks_of(str(connection.settings_dict["NAME"]))


def pair_with_money(amount: str) -> tuple[User, User]:
    """Two customers of the highest tier with money."""
    ada, chidi = UserFactory(kyc_tier=3), UserFactory(kyc_tier=3)
    fund(ada, amount)
    fund(chidi, amount)
    return ada, chidi


class TestCrossing:
    def test_6_08_transfers_in_both_directions_do_not_deadlock(self, databases: Databases) -> None:
        self.cross(400, databases)

    @pytest.mark.long
    def test_6_08_a_thousand_transfers_in_both_directions_do_not_deadlock(self, databases: Databases) -> None:
        self.cross(1_000, databases)

    @staticmethod
    def cross(times: int, databases: Databases) -> None:
        """Send to and fro ``times`` times in four threads."""
        ada, chidi = pair_with_money("5000.00")
        ends = main_wallet(ada), main_wallet(chidi)

        def to_and_fro(number: int) -> None:
            source, target = ends if number % 2 else reversed(ends)
            for _ in range(times // 4):
                send(source, target, "1.00")

        assert race(4, to_and_fro) == {DONE: 4}
        assert balances(ada, chidi) == [5000, 5000]
        assert deadlocks(databases) == 0


class TestSettling:
    def test_bills_that_reward_each_others_payer_do_not_deadlock_with_transfers(
        self, databases: Databases
    ) -> None:
        self.settle_and_send(100, databases)

    @pytest.mark.long
    def test_500_bills_that_reward_each_others_payer_do_not_deadlock(self, databases: Databases) -> None:
        self.settle_and_send(500, databases)

    @staticmethod
    def settle_and_send(times: int, databases: Databases) -> None:
        """Settle ``times`` bills of two people, each rewarding the other, while both send each other money."""
        ada, chidi = pair_with_money("5000.00")
        mains = main_wallet(ada), main_wallet(chidi)
        rewards = [ensure_cashback_wallet(user_id=person.pk, currency="NGN") for person in (chidi, ada)]

        def one_side(number: int) -> None:
            me = number % 2
            for _ in range(times // 2):
                if number < 2:
                    settle(hold(mains[me], "1.00"), mains[me], rewards[me])
                else:
                    send(mains[me], mains[1 - me], "1.00")

        assert race(4, one_side) == {DONE: 4}
        assert balances(ada, chidi) == [5000 - times // 2] * 2
        earned = [Wallet.objects.get(pk=reward.pk).balance * 100 for reward in rewards]
        assert earned == [times // 2] * 2
        assert deadlocks(databases) == 0


class TestCounter:
    """What is planted happens where nobody else is, and the count of this run is put back: it was meant."""

    @pytest.fixture(autouse=True)
    def meant(self, databases: Databases) -> Iterator[None]:
        before, databases.deadlocks = databases.deadlocks, 0
        yield
        databases.deadlocks = before

    def test_a_planted_deadlock_is_counted(self, databases: Databases) -> None:
        name = f"{worker_name()}_planted"
        databases.create(name)
        assert databases.deadlocks == 0
        settings = connection.settings_dict
        given = {"dbname": name, "user": settings["USER"], "host": settings["HOST"], "port": settings["PORT"],
                 "password": settings["PASSWORD"]}  # fmt: skip
        self.deadlock_in(make_conninfo("", **{key: value for key, value in given.items() if value}))
        databases.drop(name)
        assert databases.deadlocks == 1

    def test_one_in_the_database_of_a_running_system_is_counted(self, databases: Databases) -> None:
        with grounds.shared(databases) as ground:
            self.deadlock_in(ground.database_url)
            assert databases.deadlocks == 0
        assert databases.deadlocks == 1

    def test_one_is_counted_although_its_server_was_killed(
        self, databases: Databases, tmp_path: Path
    ) -> None:
        with ServerUser(tmp_path / "servers") as user:
            self.deadlock_in(user.servers["database_url"])
            kill(user.pid_of("postgres"))
            user.ensure()
            counter = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
            assert user.sql(counter) == [(0,)]
            databases.count_logged(Layout.at(user.local_dir).postgres_log)
        assert databases.deadlocks == 1

    @staticmethod
    def deadlock_in(conninfo: str) -> None:
        """Let two sessions take two locks in opposite order; one of them is refused."""
        both, errors = threading.Barrier(2), []

        def take(first: int, second: int) -> None:
            with psycopg.connect(conninfo, autocommit=True) as session, session.transaction():
                session.execute("SELECT pg_advisory_xact_lock(%s)", [first])
                both.wait(timeout=10)
                session.execute("SELECT pg_advisory_xact_lock(%s)", [second])

        def record(first: int, second: int) -> None:
            try:
                take(first, second)
            except psycopg.errors.DeadlockDetected as error:
                errors.append(error.sqlstate)

        threads = [threading.Thread(target=record, args=order) for order in ((1, 2), (2, 1))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert errors == ["40P01"]
