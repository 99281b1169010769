"""The web process dies in the middle of a transfer: before COMMIT nothing, after COMMIT everything (W2, W4, W6)."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx2
import pytest

from tests.clients import Person, eventually
from tests.flows.crashing import paused
from tests.flows.parallel import at_once
from tests.stack import Stack

BEFORE_COMMIT = ("ledger.locked", "ledger.written", "idempotency.before_commit")


def dies(stack: Stack, point: str, sender: Person, recipient: Person, amount: str, key: str) -> None:
    """Send money while the web server kills itself at the point, and start it again."""
    stack.arm(point)
    with pytest.raises(httpx2.TransportError):
        sender.transfer(recipient, amount, key=key)
    stack.wait_for_crash(point)
    stack.web.wait_until_dead()
    stack.heal()


class TestBeforeCommit:
    @pytest.mark.parametrize("point", BEFORE_COMMIT)
    def test_nothing_happened_and_the_same_key_runs(self, stack: Stack, point: str) -> None:
        ada, chidi, key = stack.person(funds="100.00"), stack.person("Chidi"), str(uuid4())
        dies(stack, point, ada, chidi, "40.00", key)
        assert (ada.balance(), chidi.balance()) == ("100.00", "0.00")
        assert stack.sql("SELECT 1 FROM fintech_core_idempotencyrecord WHERE key = %s", key) == []
        again = ada.transfer(chidi, "40.00", key=key)
        assert again.status_code == 201, again.text
        assert "Idempotent-Replayed" not in again.headers
        assert (ada.balance(), chidi.balance()) == ("60.00", "40.00")


class TestRefused:
    @pytest.mark.parametrize("point", ["idempotency.refused", "idempotency.before_commit"])
    def test_before_its_answer_is_stored_the_key_is_free(self, stack: Stack, point: str) -> None:
        ada, chidi, key = stack.person(funds="100.00"), stack.person("Chidi"), str(uuid4())
        dies(stack, point, ada, chidi, "100.01", key)
        assert stack.sql("SELECT 1 FROM fintech_core_idempotencyrecord WHERE key = %s", key) == []
        for replayed in (None, "true"):
            again = ada.transfer(chidi, "100.01", key=key)
            assert (again.status_code, again.json()["code"]) == (422, "insufficient_funds")
            assert again.headers.get("Idempotent-Replayed") == replayed
        assert (ada.balance(), chidi.balance()) == ("100.00", "0.00")


class TestAfterCommit:
    def test_the_same_key_answers_what_was_done(self, stack: Stack) -> None:
        ada, chidi, key = stack.person(funds="100.00"), stack.person("Chidi"), str(uuid4())
        dies(stack, "idempotency.after_commit", ada, chidi, "40.00", key)
        assert (ada.balance(), chidi.balance()) == ("60.00", "40.00")
        for _ in range(2):
            again = ada.transfer(chidi, "40.00", key=key)
            assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
        assert ada.get(f"/transactions/{again.json()['id']}").json()["status"] == "completed"
        assert (ada.balance(), chidi.balance()) == ("60.00", "40.00")
        assert len(ada.get("/transactions", type="transfer").json()["results"]) == 1

    def test_both_are_told_although_nobody_rang(self, stack: Stack) -> None:
        """W4: the process died between COMMIT and the bell; the sweep finds the event by its row."""
        ada, chidi = stack.person(funds="100.00"), stack.person("Chidi")
        dies(stack, "idempotency.after_commit", ada, chidi, "40.00", str(uuid4()))
        stack.sweep()

        def told(person: Person) -> set[str]:
            return {message["type"] for message in person.get("/notifications").json()["results"]}

        eventually(lambda: "transfer.sent" in told(ada), "the sender is told")
        eventually(lambda: "transfer.received" in told(chidi), "the receiver is told")


class TestSurvivors:
    def test_a_killed_request_takes_its_neighbours_down_but_no_money(self, stack: Stack) -> None:
        """The others that were on their way fail or succeed as a whole, and repeat safely under their own keys."""
        ada, chidi = stack.person(funds="100.00"), stack.person("Chidi")
        keys = [str(uuid4()) for _ in range(8)]
        stack.arm("idempotency.before_commit")

        def send(number: int) -> int:
            try:
                return ada.transfer(chidi, "5.00", key=keys[number]).status_code
            except httpx2.TransportError:
                return 0

        first = at_once(len(keys), send)
        assert 0 in first
        stack.web.wait_until_dead()
        stack.heal()
        eventually(
            lambda: all(send(number) == 201 for number in range(len(keys))), "every key has its answer"
        )
        assert (ada.balance(), chidi.balance()) == ("60.00", "40.00")


@pytest.mark.long
class TestHanging:
    def test_a_request_that_hangs_with_the_wallet_locked_gives_it_back(self, stack: Stack) -> None:
        """W2: others are told to come back; PostgreSQL ends the idle transaction, and nothing of it remains."""
        ada, chidi = stack.person(funds="100.00"), stack.person("Chidi")
        hanging, waiting = str(uuid4()), str(uuid4())
        with ThreadPoolExecutor(1) as pool:
            with paused(stack, "ledger.locked") as is_reached:
                first = pool.submit(ada.transfer, chidi, "40.00", key=hanging)
                is_reached()
                busy = ada.transfer(chidi, "30.00", key=waiting)
                assert (busy.status_code, busy.json()["code"], busy.headers["Retry-After"]) == (
                    503,
                    "busy",
                    "1",
                )
                eventually(lambda: not self.idle_transactions(stack), "PostgreSQL ends the transaction")
            assert first.result().status_code == 503
        assert (ada.balance(), chidi.balance()) == ("100.00", "0.00")
        assert ada.transfer(chidi, "30.00", key=waiting).status_code == 201
        assert ada.transfer(chidi, "40.00", key=hanging).status_code == 201
        assert (ada.balance(), chidi.balance()) == ("30.00", "70.00")

    @staticmethod
    def idle_transactions(stack: Stack) -> list[dict[str, object]]:
        return stack.sql(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'stack-web' AND state = 'idle in transaction'"
        )
