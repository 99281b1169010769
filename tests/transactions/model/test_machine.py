"""Anything in any order: the ledger does what a pencil does, and proves itself after every step."""

import time
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.databases import Databases
from tests.transactions.model.bank import fresh
from tests.transactions.model.endings import CUT, DIES, UNHEARD
from tests.transactions.model.machine import Machine
from tests.transactions.model.pages import DONE

pytestmark = pytest.mark.concurrency
# A run is shortened by Hypothesis when it fails, which takes minutes with a real database: `phases` says whether.
SHORT = settings(
    max_examples=12, stateful_step_count=20, deadline=None, database=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
LONG = settings(SHORT, max_examples=10, stateful_step_count=40)
# As many rounds as it takes until everything has happened that must, within these bounds.
LEAST_ROUNDS, MOST_ROUNDS = 50, 100

MUST_HAPPEN = {
    "fund": {DONE, "duplicate_reference", DIES, CUT, UNHEARD},
    "transfer": {
        DONE, "insufficient_funds", "limit_exceeded", "kyc_required", "wallet_frozen", "recipient_cannot_receive",
        DIES, CUT,
    },
    "hold": {DONE, "insufficient_funds", "limit_exceeded", "kyc_required", "wallet_frozen", DIES, CUT, UNHEARD},
    "capture": {DONE, "capture_exceeds_hold", "transaction_not_pending", DIES, CUT, UNHEARD},
    "settle": {DONE, "transaction_not_pending", DIES, CUT, UNHEARD},
    "void": {DONE, "transaction_not_pending", DIES, CUT, UNHEARD},
    "reverse": {DONE, "already_reversed", "not_reversible", "insufficient_funds", DIES, CUT, UNHEARD},
    "refund": {DONE, "not_refundable", "refund_exceeds_amount", "insufficient_funds", DIES, CUT, UNHEARD},
    "convert": {DONE, "not_found", "kyc_required", "insufficient_funds", "wallet_frozen", DIES, CUT},
    "send_all": {DONE, "bulk_transfer_failed", "kyc_required", "wallet_frozen", DIES, CUT},
    "send_each": {DONE, DIES, CUT, UNHEARD},
    "expire": {DONE},
    "take_back": {DONE, "nothing_taken_back"},
    "adjust": {DONE, "insufficient_funds", "recipient_cannot_receive", DIES, CUT, UNHEARD},
    "dry_run": {DONE, "insufficient_funds"},
    "redeem": {DONE, "insufficient_funds", "wallet_frozen", DIES, CUT},
    "release": {DONE, "still_parked", DIES, CUT, UNHEARD},
    "set_status": {DONE, "wallet_state_conflict", DIES, CUT, UNHEARD},
    "open": {DONE, "wallet_exists", DIES, CUT, UNHEARD},
    "ask_again": {DONE, "insufficient_funds"},
}  # fmt: skip


def examples_of(machine: type[RuleBasedStateMachine], given: settings) -> None:
    """Run a machine."""
    run_state_machine_as_test(machine, settings=given)


class TestMachine:
    def test_ledger_and_pencil_agree_after_every_step(self, model_db: Databases) -> None:
        examples_of(Machine, SHORT)

    @pytest.mark.long
    @pytest.mark.timeout(7_200)
    def test_ledger_and_pencil_agree_in_500_long_lives(
        self, model_db: Databases, tell: Callable[[str], None]
    ) -> None:
        """Each round has a database of its own, since the verifier looks at all that its database has seen."""
        Machine.tally = Counter()
        started = time.monotonic()
        for number in range(1, MOST_ROUNDS + 1):
            examples_of(Machine, LONG)
            fresh(model_db)
            missing = never_happened()
            tell(
                f"round {number}: {sum(Machine.tally.values())} steps, {time.monotonic() - started:.0f} s,"
                f" not yet: {missing}"
            )
            if number >= LEAST_ROUNDS and not missing:
                break
        tell(str(sorted(Machine.tally.items())))
        assert missing == {}


def never_happened() -> dict[str, set[str]]:
    """Return by operation what must happen and has not yet."""
    happened = {name: {what for one, what in Machine.tally if one == name} for name in MUST_HAPPEN}
    return {name: whats - happened[name] for name, whats in MUST_HAPPEN.items() if whats - happened[name]}
