"""W3: the answer of COMMIT gets lost. Whatever PostgreSQL did, the client never learns the opposite."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx2
import psycopg
import pytest

from tests.clients import PIN, Person
from tests.flows.billing import DELIVERED, deliveries, meter, orders
from tests.flows.crashing import paused, swept
from tests.flows.fragile import Fragile
from tests.flows.wire import Cut, Wire
from tests.stack import Stack


@pytest.fixture(scope="module")
def stack(fragile: Fragile) -> Stack:
    """The stack whose programs reach PostgreSQL over a wire."""
    return fragile.stack


@pytest.fixture
def wire(fragile: Fragile) -> Wire:
    """The wire to its database."""
    return fragile.wire


def hurt_at_commit(
    stack: Stack, request: Callable[[], httpx2.Response], hurt: Callable[[], None]
) -> httpx2.Response:
    """Send a request, hurt the system while T1 stands right before its COMMIT, and return the answer."""
    with ThreadPoolExecutor(1) as pool:
        with paused(stack, "idempotency.before_commit") as is_reached:
            answer = pool.submit(request)
            is_reached()
            hurt()
        return answer.result()


class TestLostAnswer:
    @pytest.mark.parametrize("how", [Cut.ANSWER_LOST, Cut.ARRIVED_LATE])
    def test_a_committed_transfer_is_answered_as_done(self, stack: Stack, wire: Wire, how: Cut) -> None:
        ada, chidi, key = stack.person(funds="100.00"), stack.person("Chidi"), str(uuid4())
        first = hurt_at_commit(
            stack,
            lambda: ada.transfer(chidi, "40.00", key=key),
            lambda: wire.cut(how, application_name="stack-web"),
        )
        wire.wait_until_cut()
        assert first.status_code == 201, first.text
        again = ada.transfer(chidi, "40.00", key=key)
        assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
        assert again.headers["Idempotent-Replayed"] == "true"
        assert (ada.balance(), chidi.balance()) == ("60.00", "40.00")
        assert len(ada.get("/transactions", type="transfer").json()["results"]) == 1

    def test_a_committed_funding_goes_on_although_nobody_rang(self, stack: Stack, wire: Wire) -> None:
        """What was to be done after COMMIT is not done either; the row is due, and the sweep finds it."""
        ada, key = stack.person(), str(uuid4())

        def fund() -> httpx2.Response:
            headers = {"Prefer": "wait=0"}
            return ada.call("POST", "/wallet/fund", {"amount": "300.00"}, key=key, headers=headers)

        first = hurt_at_commit(stack, fund, lambda: wire.cut(Cut.ANSWER_LOST, application_name="stack-web"))
        wire.wait_until_cut()
        assert (first.status_code, first.json()["checkout_url"]) == (202, None), first.text
        swept(stack, lambda: fund().status_code == 201, "the checkout is started")
        assert fund().json()["id"] == first.json()["id"]
        assert len(ada.get("/payments/intents").json()["results"]) == 1

    def test_a_commit_that_never_arrived_is_told_and_repeated_safely(self, stack: Stack, wire: Wire) -> None:
        ada, chidi, key = stack.person(funds="100.00"), stack.person("Chidi"), str(uuid4())
        first = hurt_at_commit(
            stack,
            lambda: ada.transfer(chidi, "40.00", key=key),
            lambda: wire.cut(Cut.NEVER_ARRIVED, application_name="stack-web"),
        )
        wire.wait_until_cut()
        self.is_told_to_repeat(first)
        assert (ada.balance(), chidi.balance()) == ("100.00", "0.00")
        self.runs(ada, chidi, key)

    def test_a_session_that_was_ended_before_its_commit_did_nothing(self, stack: Stack) -> None:
        ada, chidi, key = stack.person(funds="100.00"), stack.person("Chidi"), str(uuid4())
        first = hurt_at_commit(
            stack, lambda: ada.transfer(chidi, "40.00", key=key), lambda: self.end_session(stack)
        )
        self.is_told_to_repeat(first)
        assert (ada.balance(), chidi.balance()) == ("100.00", "0.00")
        self.runs(ada, chidi, key)

    @staticmethod
    def is_told_to_repeat(answer: httpx2.Response) -> None:
        assert answer.status_code == 503, answer.text
        assert answer.json()["retryable"] is True
        assert int(answer.headers["Retry-After"]) >= 1

    @staticmethod
    def runs(ada: Person, chidi: Person, key: str) -> None:
        again = ada.transfer(chidi, "40.00", key=key)
        assert again.status_code == 201, again.text
        assert "Idempotent-Replayed" not in again.headers
        assert (ada.balance(), chidi.balance()) == ("60.00", "40.00")

    @staticmethod
    def end_session(stack: Stack) -> None:
        """End the session that is in its transaction, as an operator or a restart would."""
        with psycopg.connect(stack.ground.owner_url, autocommit=True) as owner:
            ended = owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = 'stack-web' AND state = 'idle in transaction'"
            ).fetchall()
        assert ended == [(True,)]


class TestBills:
    @pytest.mark.parametrize("how", [Cut.ANSWER_LOST, Cut.ARRIVED_LATE])
    def test_a_committed_bill_is_settled_although_nobody_rang(
        self, stack: Stack, wire: Wire, how: Cut
    ) -> None:
        """T1 is done, the job is not rung and the client has 202; the row is due, and the sweep finds it."""
        ada, customer_id, key = stack.person(funds="5000.00"), meter(DELIVERED), str(uuid4())
        first = hurt_at_commit(
            stack,
            lambda: self.pay(ada, customer_id, key),
            lambda: wire.cut(how, application_name="stack-web"),
        )
        wire.wait_until_cut()
        assert (first.status_code, first.json()["status"]) == (202, "processing"), first.text
        assert ada.wallet()["held"] == "1000.00"
        swept(stack, lambda: self.pay(ada, customer_id, key).status_code == 201, "the bill is settled")
        again = self.pay(ada, customer_id, key)
        assert (again.json()["id"], again.headers["Idempotent-Replayed"]) == (first.json()["id"], "true")
        assert (ada.balance(), ada.wallet()["held"], deliveries(stack, customer_id)) == ("4000.00", "0.00", 1)

    def test_a_bill_whose_commit_never_arrived_holds_nothing_and_is_repeated_safely(
        self, stack: Stack, wire: Wire
    ) -> None:
        ada, customer_id, key = stack.person(funds="5000.00"), meter(DELIVERED), str(uuid4())
        first = hurt_at_commit(
            stack,
            lambda: self.pay(ada, customer_id, key),
            lambda: wire.cut(Cut.NEVER_ARRIVED, application_name="stack-web"),
        )
        wire.wait_until_cut()
        TestLostAnswer.is_told_to_repeat(first)
        assert (ada.balance(), ada.wallet()["held"], orders(stack, customer_id)) == ("5000.00", "0.00", [])
        again = self.pay(ada, customer_id, key)
        assert again.status_code in {201, 202}
        assert "Idempotent-Replayed" not in again.headers
        swept(stack, lambda: self.pay(ada, customer_id, key).status_code == 201, "the bill is settled")
        assert (ada.balance(), deliveries(stack, customer_id)) == ("4000.00", 1)

    @staticmethod
    def pay(ada: Person, customer_id: str, key: str) -> httpx2.Response:
        body = {"biller": "ikeja-electric", "product": "prepaid", "customer_id": customer_id, "pin": PIN}
        headers = {"Prefer": "wait=0"}
        return ada.call("POST", "/bills/pay", {**body, "amount": "1000.00"}, key=key, headers=headers)
