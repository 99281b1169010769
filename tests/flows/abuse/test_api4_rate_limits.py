"""API4 and API2, rate limits: a web process with them on, asked from many addresses at once."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from tests.flows.abuse.cast import CANARY_PIN, Cast, Customer
from tests.flows.abuse.fingerprint import Fingerprint
from tests.flows.abuse.tables import BILL
from tests.flows.abuse.wire import Answer, Wire, check_manners, check_problem
from tests.stack import Stack

LOGIN = "/api/v1/auth/login"
LOGINS_A_MINUTE = 10
AT_ONCE = 80
THREADS = 16


@pytest.fixture
def at(strict_wire: Wire) -> Callable[[int], Wire]:
    """Ways to the server from addresses that nobody has used: ``at(3)`` is one of them."""
    network = uuid4().int % 200 + 20, uuid4().int % 250 + 1
    return lambda number: Wire(strict_wire.address, f"127.{network[0]}.{network[1]}.{number + 1}")


def storm(count: int, send: Callable[[int], Answer]) -> tuple[Counter[int], list[Answer], int]:
    """Send so many at once; return the statuses, the answers, and how many may have been let through."""
    started = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(send, range(count)))
    refilled = int((time.monotonic() - started) / (60 / LOGINS_A_MINUTE)) + 1
    for answer in answers:
        check_manners_but_time(answer)
    return Counter(answer.status for answer in answers), answers, LOGINS_A_MINUTE + refilled


def check_manners_but_time(answer: Answer) -> None:
    """Hold an answer of a storm to its manners; how long it waited for its turn is not looked at."""
    check_manners(Answer(answer.status, answer.headers, answer.body, 0.0))


def login(wire: Wire, email: str, **headers: str) -> Answer:
    """Try to sign in with a wrong password."""
    return wire.send("POST", LOGIN, {"email": email, "password": "a wrong Password 1"}, headers=headers)


def check_refusals(answers: list[Answer]) -> None:
    """Every refused one says when to come again."""
    for answer in answers:
        if answer.status == 429:
            check_problem(Answer(429, answer.headers, answer.body, 0.0), 429, "rate_limited")
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
            assert answer.json()["retryable"] is True
            assert "login" in answer.headers["RateLimit-Policy"]
            assert "r=0" in answer.headers["RateLimit"]


class TestLogins:
    def test_4_07_one_account_from_many_addresses(
        self, at: Callable[[int], Wire], watch: Fingerprint, cast: Cast
    ) -> None:
        spellings = [cast.bola.email, cast.bola.email.upper(), f" {cast.bola.email} "]
        with watch.unchanged():
            statuses, answers, allowed = storm(AT_ONCE, lambda n: login(at(n), spellings[n % 3]))
        assert statuses[401] + statuses[429] == AT_ONCE
        assert 1 <= statuses[401] <= allowed
        check_refusals(answers)

    def test_2_13_many_accounts_from_one_address(self, at: Callable[[int], Wire], watch: Fingerprint) -> None:
        with watch.unchanged():
            statuses, answers, allowed = storm(AT_ONCE, lambda _: login(at(1), f"{uuid4().hex}@example.com"))
        assert 1 <= statuses[401] <= allowed
        check_refusals(answers)

    def test_8_23_no_header_moves_an_address(self, at: Callable[[int], Wire]) -> None:
        def spoofed(n: int) -> Answer:
            claims = [
                f"9.9.9.{n}",
                ", ".join(f"9.{n}.9.{m}" for m in range(50)),
                "127.0.0.1",
                "unknown",
                "::1",
            ]
            claim = claims[n % len(claims)]
            headers = {
                "X-Forwarded-For": claim,
                "X-Real-IP": claim,
                "Forwarded": f"for={claim}",
                "True-Client-IP": claim,
            }
            headers |= {
                "CF-Connecting-IP": claim,
                "X-Client-IP": claim,
                "X-Cluster-Client-IP": claim,
                "Via": claim,
            }
            return login(at(2), f"{n}.{uuid4().hex}@example.com", **headers)

        statuses, _, allowed = storm(AT_ONCE, spoofed)
        assert 1 <= statuses[401] <= allowed

    def test_8_23_nor_the_address_that_is_kept(
        self, at: Callable[[int], Wire], stack: Stack, cast: Cast
    ) -> None:
        mark = uuid4().hex
        login(at(5), "nobody@example.com", **{"X-Forwarded-For": "9.8.7.6", "User-Agent": mark})
        part = next(part for part in stack.parts if part.name == "web with limits")
        lines = [line for line in part.log().splitlines() if mark in line]
        assert lines
        assert not [line for line in lines if "9.8.7.6" in line]

    @pytest.mark.parametrize(
        "raw", [b"{", b"\xff", b'{"email":5,"password":"x"}', b"[" * 1_000, b'{"email":null}']
    )
    def test_4_07_what_cannot_be_read_counts_too(self, at: Callable[[int], Wire], raw: bytes) -> None:
        number = 100 + raw[-1] % 50
        statuses, _, allowed = storm(30, lambda _: at(number).send("POST", LOGIN, raw=raw))
        assert statuses[400] + statuses[429] == 30
        assert 1 <= statuses[400] <= allowed


class TestCustomers:
    def test_4_07_a_flood_harms_nobody_else(
        self, at: Callable[[int], Wire], stack: Stack, cast: Cast
    ) -> None:
        flooder = Customer(stack.address, first_name="Jide")
        wire = at(3)
        path = "/api/v1/transactions/transfer/lookup"
        body = {"to": cast.bola.email}
        statuses, answers, allowed = storm(60, lambda n: at(n).send("POST", path, body, token=flooder.access))
        assert 1 <= statuses[200] <= allowed
        assert all("Retry-After" in answer.headers for answer in answers if answer.status == 429)
        assert wire.send("POST", path, body, token=cast.ada.access).status == 200
        assert wire.send("GET", "/api/v1/wallet", token=flooder.access).status == 200
        flooder.close()

    def test_4_07_transfers_are_counted_and_none_is_half_done(
        self, at: Callable[[int], Wire], cast: Cast, watch: Fingerprint
    ) -> None:
        body: dict[str, Any] = {"to": cast.nneka.email, "amount": "1.00", "pin": CANARY_PIN}
        before = cast.stack.sql("SELECT count(*) AS n FROM transactions_transaction WHERE type = 'transfer'")[
            0
        ]["n"]

        def send(n: int) -> Answer:
            headers = {"Idempotency-Key": str(uuid4())}
            return at(n).send(
                "POST", "/api/v1/transactions/transfer", body, token=cast.bola.access, headers=headers
            )

        statuses, _, _ = storm(45, send)
        watch.settle()
        after = cast.stack.sql("SELECT count(*) AS n FROM transactions_transaction WHERE type = 'transfer'")[
            0
        ]["n"]
        assert statuses[201] + statuses[429] == 45
        assert 30 <= statuses[201] <= 40
        assert after - before == statuses[201]

    def test_4_07_bulks_tried_at_once_tell_strangers_of_one_list_at_most(
        self, at: Callable[[int], Wire], stack: Stack, cast: Cast, watch: Fingerprint
    ) -> None:
        asker = Customer(stack.address, first_name="Uche")
        asker.pass_kyc()
        watch.settle()

        def try_out(n: int) -> Answer:
            addresses = [cast.bola.email, *(f"{uuid4().hex}@example.com" for _ in range(20))]
            items = [{"to": address, "amount": "1.00"} for address in addresses]
            path = "/api/v1/transactions/transfer/bulk?dry_run=true"
            return at(n).send("POST", path, {"items": items}, token=asker.access)

        with watch.unchanged():
            statuses, answers, _ = storm(30, try_out)
        told = [answer for answer in answers if answer.status != 429]
        assert statuses[429] >= 29
        assert all("recipient_not_found" in answer.body.decode() for answer in told)
        for answer in answers:
            if answer.status == 429:
                check_problem(Answer(429, answer.headers, answer.body, 0.0), 429, "rate_limited")
                assert cast.bola.email not in answer.body.decode()
        asker.close()

    def test_4_07_both_routes_of_a_bill_share_one_count(
        self, at: Callable[[int], Wire], cast: Cast, watch: Fingerprint
    ) -> None:
        """What is refused counts, too: here there is not enough money for any of them."""
        body = cast.fill({**BILL, "amount": "999999.00"})

        def send(n: int) -> Answer:
            path = ("/bills/pay", "/payments/pay-bill")[n % 2]
            headers = {"Idempotency-Key": str(uuid4())}
            return at(n).send("POST", f"/api/v1{path}", body, token=cast.ada.access, headers=headers)

        with watch.unchanged(keys_too=False):
            statuses, answers, _ = storm(45, send)
        assert statuses[422] + statuses[429] == 45
        assert 30 <= statuses[422] <= 40
        assert all("Retry-After" in answer.headers for answer in answers if answer.status == 429)

    def test_4_07_every_answer_says_what_is_left(self, at: Callable[[int], Wire], cast: Cast) -> None:
        answer = at(6).send("GET", "/api/v1/limits", token=cast.ada.access)
        assert answer.headers["RateLimit-Policy"] == '"default";q=120;w=60'
        assert "r=" in answer.headers["RateLimit"]
