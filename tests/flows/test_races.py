"""Many requests at the same instant: one effect for each key, one credit for each payment, never below zero."""

import time
from collections import Counter
from collections.abc import Callable
from uuid import uuid4

import httpx2
import pytest

from tests.clients import PASSWORD, Client, eventually
from tests.flows.checkout import begin, checkouts, click, credited, fundings
from tests.flows.parallel import at_once
from tests.stack import Stack

MOST_REPEATS = 50
rounds = pytest.mark.parametrize(
    "round_", [0, *(pytest.param(n, marks=pytest.mark.long) for n in range(1, 10))]
)


def verdicts(answers: list[httpx2.Response]) -> Counter[tuple[int, str]]:
    """Count answers by status and code."""
    return Counter((answer.status_code, answer.json().get("code", "")) for answer in answers)


class TestTransfers:
    @rounds
    def test_the_whole_balance_is_spent_once(self, stack: Stack, round_: int) -> None:
        ada, chidi = stack.person(funds="1000.00"), stack.person("Chidi")
        answers = at_once(50, lambda _: ada.transfer(chidi, "1000.00"))
        assert verdicts(answers) == {(201, ""): 1, (422, "insufficient_funds"): 49}
        assert (ada.balance(), chidi.balance()) == ("0.00", "1000.00")
        assert len(ada.get("/transactions", type="transfer").json()["results"]) == 1

    @rounds
    def test_parts_are_spent_until_there_is_no_more(self, stack: Stack, round_: int) -> None:
        ada, chidi = stack.person(funds="100.00"), stack.person("Chidi")
        answers = at_once(30, lambda _: ada.transfer(chidi, "7.00"))
        assert verdicts(answers) == {(201, ""): 14, (422, "insufficient_funds"): 16}
        assert (ada.balance(), chidi.balance()) == ("2.00", "98.00")

    @rounds
    def test_the_daily_limit_holds(self, stack: Stack, round_: int) -> None:
        ada, chidi = stack.person(funds="90000.00"), stack.person("Chidi")
        answers = at_once(16, lambda _: ada.transfer(chidi, "9000.00"))
        assert verdicts(answers)[201, ""] == 5
        assert (ada.balance(), chidi.balance()) == ("45000.00", "45000.00")
        assert ada.get("/limits").json()["NGN"]["daily"]["remaining"] == "5000.00"

    @pytest.mark.parametrize("count", [40, pytest.param(1000, marks=pytest.mark.long)])
    def test_crossing_transfers_do_not_deadlock(self, stack: Stack, count: int) -> None:
        ada, bola = stack.person(funds="2000.00"), stack.person("Bola", funds="2000.00")
        before = stack.sql("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")

        def send(number: int) -> int:
            sender, recipient = (ada, bola) if number % 2 else (bola, ada)
            return [sender.transfer(recipient, "1.00").status_code for _ in range(count // 20)].count(201)

        assert sum(at_once(20, send)) == count
        assert (ada.balance(), bola.balance()) == ("2000.00", "2000.00")
        assert before == stack.sql(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )


class TestKeys:
    """Twenty requests with one key: a busy key says when to come back, and in the end all answer the same."""

    @staticmethod
    def insist(send: Callable[[int], httpx2.Response]) -> list[httpx2.Response]:
        def once(number: int) -> httpx2.Response:
            answer = send(number)
            for _ in range(MOST_REPEATS):
                if answer.status_code != 409:
                    break
                assert (answer.json()["code"], answer.headers["Retry-After"]) == (
                    "idempotency_in_progress",
                    "1",
                )
                time.sleep(0.1)
                answer = send(number)
            return answer

        answers = at_once(20, once)
        assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
        return answers

    @staticmethod
    def are_equal(answers: list[httpx2.Response]) -> None:
        assert len({(answer.status_code, answer.text) for answer in answers}) == 1

    @rounds
    def test_a_transfer(self, stack: Stack, round_: int) -> None:
        ada, chidi, key = stack.person(funds="1000.00"), stack.person("Chidi"), str(uuid4())
        self.are_equal(self.insist(lambda _: ada.transfer(chidi, "10.00", key=key)))
        assert (ada.balance(), chidi.balance()) == ("990.00", "10.00")

    def test_a_refusal(self, stack: Stack) -> None:
        ada, chidi, key = stack.person(), stack.person("Chidi"), str(uuid4())
        answers = self.insist(lambda _: ada.transfer(chidi, "10.00", key=key))
        self.are_equal(answers)
        assert verdicts(answers) == {(422, "insufficient_funds"): 20}

    def test_a_funding_by_both_of_its_routes(self, stack: Stack) -> None:
        """Its document stays open, so the answers tell how it stands: 202 before the link, 201 with it."""
        ada, key, routes = stack.person(), str(uuid4()), ("/wallet/fund", "/payments/intents")
        answers = self.insist(lambda number: ada.pay(routes[number % 2], {"amount": "10.00"}, key=key))
        assert {answer.status_code for answer in answers} <= {201, 202}
        [intent] = ada.get("/payments/intents").json()["results"]
        assert {answer.json()["id"] for answer in answers} == {intent["id"]}
        assert len(checkouts(stack, intent["reference"])) == 1

    def test_keys_of_two_people_are_two_keys(self, stack: Stack) -> None:
        people, chidi, key = (
            [stack.person(funds="10.00") for _ in range(2)],
            stack.person("Chidi"),
            str(uuid4()),
        )
        answers = at_once(2, lambda number: people[number].transfer(chidi, "10.00", key=key))
        assert verdicts(answers) == {(201, ""): 2}
        assert chidi.balance() == "20.00"


class TestWebhooks:
    @rounds
    def test_one_payment_told_a_hundred_times_is_one_credit(self, stack: Stack, round_: int) -> None:
        ada = stack.person()
        intent = begin(ada, "300.00")
        reference = f"{intent['reference']}.1"
        stack.fault("paystack", "webhook", "webhook_delay", match={"reference": reference}, seconds=3600)
        click(intent["checkout_url"])
        held = next(
            found
            for found in stack.control("GET", "deliveries")["deliveries"]
            if found["subject"] == reference
        )
        with httpx2.Client(timeout=30) as http:
            answers = at_once(
                100,
                lambda _: http.post(
                    held["url"],
                    content=held["body"].encode(),
                    headers={**held["headers"], "Content-Type": "application/json"},
                ),
            )
        assert Counter(answer.status_code for answer in answers) == {200: 100}
        credited(ada, intent["id"])
        eventually(
            lambda: {row["status"] for row in self.inbox(stack, reference)} == {"processed"},
            "the inbox is done",
        )
        assert len(self.inbox(stack, reference)) == 1
        assert (ada.balance(), fundings(ada)) == ("300.00", [("completed", "in", "300.00")])

    @staticmethod
    def inbox(stack: Stack, reference: str) -> list[dict[str, object]]:
        return stack.sql("SELECT status FROM payments_webhookevent WHERE subject = %s", reference)

    @rounds
    def test_webhook_verify_and_cancel_at_once_are_one_credit(self, stack: Stack, round_: int) -> None:
        ada = stack.person()
        intent = begin(ada, "300.00")
        click(intent["checkout_url"])
        path = f"/payments/intents/{intent['id']}"
        calls = ["verify", "cancel", "verify", "cancel"] * 3
        answers = at_once(len(calls), lambda number: ada.post(f"{path}/{calls[number]}"))
        assert {answer.status_code for answer in answers} <= {200, 409}
        credited(ada, intent["id"])
        assert (ada.balance(), fundings(ada)) == ("300.00", [("completed", "in", "300.00")])


class TestSessions:
    @rounds
    def test_parallel_refreshes_leave_one_living_token(self, stack: Stack, round_: int) -> None:
        ada = stack.person(tier=0)
        answers = at_once(8, lambda _: ada.post("/auth/refresh", {"refresh": ada.refresh}))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["refresh"] for answer in answers}) == 1
        living = stack.sql(
            "SELECT count(*) FROM users_refreshtoken token JOIN users_session session ON session.id = session_id"
            " WHERE session.user_id = %s AND consumed_at IS NULL",
            ada.id,
        )
        assert living == [{"count": 1}]
        follower = ada.post("/auth/refresh", {"refresh": answers[0].json()["refresh"]})
        assert follower.status_code == 200

    def test_wrong_pins_at_once_are_tried_five_times_at_most(self, stack: Stack) -> None:
        ada, chidi = stack.person(funds="100.00"), stack.person("Chidi")
        body = {"to": chidi.email, "amount": "1.00"}
        answers = at_once(
            20, lambda number: ada.pay("/transactions/transfer", {**body, "pin": f"9{number:03}"})
        )
        assert verdicts(answers) == {(403, "invalid_pin"): 4, (403, "pin_locked"): 16}
        assert ada.transfer(chidi, "1.00").json()["code"] == "pin_locked"
        assert ada.balance() == "100.00"

    def test_right_pins_at_once_lock_nobody(self, stack: Stack) -> None:
        ada, chidi = stack.person(funds="100.00"), stack.person("Chidi")
        assert verdicts(at_once(20, lambda _: ada.transfer(chidi, "1.00"))) == {(201, ""): 20}

    def test_one_address_signs_up_once(self, stack: Stack) -> None:
        email = f"{uuid4().hex}@example.com"
        body = {"email": email, "password": PASSWORD, "first_name": "Ada", "last_name": "Obi"}
        clients: list[Client] = [stack.client() for _ in range(8)]
        answers = at_once(8, lambda number: clients[number].post("/auth/register", body))
        assert Counter(answer.status_code for answer in answers) == {201: 1, 400: 7}
        assert {answer.json()["errors"][0]["code"] for answer in answers if answer.status_code == 400} == {
            "email_taken"
        }
