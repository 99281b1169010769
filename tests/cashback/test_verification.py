"""verify_ledger and cashback: what somebody with the database's password changed is found.

Defects are planted by the owner with the triggers of a table switched off, inside a transaction that is rolled back.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.core.management import call_command
from django.db import connections, transaction
from pytest_django.plugin import DjangoDbBlocker

from cashback.models import Campaign
from cashback.verification import EXTENSION
from tests.cashback.offers import earn, running
from tests.cashback.scenes import Scene
from tests.factories import UserFactory
from transactions.verification import every_check, verify
from transactions.verification.extensions import extensions

CAMPAIGN, REWARD = "cashback_campaign", "cashback_reward"
MOVEMENT, ENTRY, WALLET = "transactions_transaction", "transactions_ledgerentry", "wallet_wallet"
TABLES = (CAMPAIGN, REWARD, MOVEMENT, ENTRY, WALLET)


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of the tables, in a transaction that will be rolled back."""

    scene: Scene

    def run(self, statement: str) -> int:
        """Run a statement with the scene's ids at hand; return how many rows it changed."""
        with connections["owner"].cursor() as cursor:
            cursor.execute(statement, self.scene.ids())
            return int(cursor.rowcount)

    def plant(self, statement: str, *, without: str = "") -> set[str]:
        """Change rows past every guard and return what is found beside the guards that are off."""
        for table in TABLES:
            self.run(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        if without:
            self.run(f"ALTER TABLE {REWARD} DROP CONSTRAINT {without}")
        assert self.run(statement) > 0
        broken = self.found()
        assert "triggers_are_on" in broken
        return broken - {"triggers_are_on", "constraints_are_valid"}

    @staticmethod
    def found() -> set[str]:
        """Verify inside this transaction and return the codes of what is found."""
        return set(verify(using="owner").broken)


@pytest.fixture
def owner(scene: Scene, django_db_blocker: DjangoDbBlocker) -> Iterator[Owner]:
    """The owner, in a transaction that is rolled back."""
    with django_db_blocker.unblock(), transaction.atomic(using="owner"):
        yield Owner(scene)
        transaction.set_rollback(True, using="owner")


def reward(change: str, which: str = "earned") -> str:
    return f"UPDATE {REWARD} SET {change} WHERE id = %({which})s"


def campaign(change: str) -> str:
    return f"UPDATE {CAMPAIGN} SET {change} WHERE id = %(campaign)s"


SPENT, POSTED, TERMS = (
    "campaign_spent_what_was_earned",
    "reward_is_what_was_posted",
    "reward_keeps_to_its_campaign",
)
UNEARNED = "cashback_has_its_reward"
DECIDED = "reward_given_has_its_transaction"
REWARD_DEFECTS = {
    "another amount": (reward("amount = amount - 1"), {POSTED, SPENT}),
    "a larger amount": (reward("amount = amount + 1"), {POSTED, SPENT, TERMS}),
    "another currency": (reward("currency = 'USD'"), {POSTED, TERMS}),
    "another person": (reward("user_id = (SELECT user_id FROM cashback_reward WHERE id = %(parked)s)"), {POSTED}),
    "another campaign": (reward("campaign_id = %(paused)s"), {SPENT}),
    "another payment, which is nobody's": (reward("trigger_id = gen_random_uuid()"), {TERMS}),
    "before its campaign began": (reward("created_at = '2025-12-31'"), {TERMS}),
    "cancelled and not reversed": (reward("status = 'cancelled'"), {POSTED, SPENT}),
    "earned again after it was reversed": (reward("status = 'earned'", "cancelled"), {SPENT}),
    "the posting of something else": (reward("transaction_id = %(redemption)s"), {POSTED, UNEARNED}),
    "dropped after it was posted": (
        reward("status = 'dropped', transaction_id = NULL"), {SPENT, UNEARNED}),
    "earned after it was dropped": (
        reward("status = 'earned', transaction_id = %(redemption)s", "dropped"), {POSTED, SPENT}),
    "deleted": (f"DELETE FROM {REWARD} WHERE id = %(earned)s", {SPENT, UNEARNED}),
}  # fmt: skip
WITHOUT_A_CONSTRAINT = {
    "earned without a transaction": (
        reward("transaction_id = NULL"), DECIDED, {POSTED, UNEARNED}),
    "undecided": (
        reward("status = 'pending', transaction_id = NULL"), DECIDED, {POSTED, SPENT, UNEARNED}),
    "dropped with a transaction": (
        reward("status = 'dropped'"), DECIDED, {POSTED, SPENT}),
    "an unknown status": (
        reward("status = 'lost', transaction_id = NULL", "dropped"), "reward_status_is_known", {POSTED}),
    "two for one payment": (
        reward("trigger_id = (SELECT trigger_id FROM cashback_reward WHERE id = %(earned)s)", "dropped"),
        "reward_once_per_trigger_and_user", {"rewarded_once"}),
}  # fmt: skip
CAMPAIGN_DEFECTS = {
    "it has spent more than it gave": (campaign("spent = spent + 1"), {SPENT}),
    "it has spent less than it gave": (campaign("spent = spent - 1"), {SPENT}),
    "its counter was set back": (campaign("spent = 0"), {SPENT}),
    "a smaller cap than what it gave": (campaign("cap = 9.99"), {TERMS}),
    "a smaller percentage": (campaign("percent_bp = 999"), {TERMS}),
    "a least payment above what was paid": (campaign("min_payment = 100.01"), {TERMS}),
    "it began after it gave": (campaign("starts_at = now() + interval '1 s'"), {TERMS}),
    "it ended before it gave": (campaign("ends_at = starts_at + interval '1 s'"), {TERMS}),
    "another currency": (campaign("currency = 'USD'"), {TERMS}),
    "a status that nobody decided": (campaign("status = 'ended'"), {"campaign_status_is_audited"}),
    "a draft that gave": (campaign("status = 'draft'"), {"campaign_status_is_audited", TERMS}),
}  # fmt: skip
LEDGER_DEFECTS = {
    "a cashback wallet with more than was earned": (
        f"UPDATE {WALLET} SET balance = balance + 5 WHERE id = %(wallet)s", {"wallet_shows_its_entries"}),
    "cashback for a document that is no reward": (
        f"UPDATE {MOVEMENT} SET source_kind = 'favour' WHERE id = %(posted)s", {POSTED}),
    "cashback for another reward": (
        f"UPDATE {MOVEMENT} SET source_id = gen_random_uuid() WHERE id = %(posted)s", {POSTED}),
    "a posting that is called otherwise": (
        f"UPDATE {MOVEMENT} SET type = 'referral_bonus' WHERE id = %(posted)s", {POSTED}),
    "more posted than the reward says": (
        f"UPDATE {MOVEMENT} SET amount = amount + 1 WHERE id = %(posted)s", {POSTED}),
    "a redemption that is called cashback": (
        f"UPDATE {MOVEMENT} SET type = 'cashback' WHERE id = %(redemption)s", {UNEARNED}),
}  # fmt: skip


class TestPlanted:
    def test_nothing_planted_nothing_found(self, owner: Owner) -> None:
        assert owner.found() == set()

    @pytest.mark.parametrize("defect", REWARD_DEFECTS)
    def test_in_a_reward(self, owner: Owner, defect: str) -> None:
        statement, codes = REWARD_DEFECTS[defect]
        assert owner.plant(statement) == codes

    @pytest.mark.parametrize("defect", WITHOUT_A_CONSTRAINT)
    def test_in_a_reward_that_lost_a_constraint(self, owner: Owner, defect: str) -> None:
        statement, constraint, codes = WITHOUT_A_CONSTRAINT[defect]
        assert owner.plant(statement, without=constraint) == codes

    @pytest.mark.parametrize("defect", CAMPAIGN_DEFECTS)
    def test_in_a_campaign(self, owner: Owner, defect: str) -> None:
        statement, codes = CAMPAIGN_DEFECTS[defect]
        assert owner.plant(statement) == codes

    @pytest.mark.parametrize("defect", LEDGER_DEFECTS)
    def test_in_the_ledger(self, owner: Owner, defect: str) -> None:
        statement, codes = LEDGER_DEFECTS[defect]
        assert codes <= owner.plant(statement)

    def test_a_wallet_that_is_no_cashback_wallet(self, owner: Owner) -> None:
        change = f"UPDATE {MOVEMENT} SET to_wallet_id = (SELECT id FROM {WALLET} WHERE owner_id = %(user)s "
        assert POSTED in owner.plant(f"{change} AND kind = 'main') WHERE id = %(posted)s")


class TestGuards:
    @pytest.mark.parametrize("table", [CAMPAIGN, REWARD])
    def test_a_trigger_that_is_off_is_found(self, owner: Owner, table: str) -> None:
        owner.run(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        assert owner.found() == {"triggers_are_on"}

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            (f"DROP TRIGGER cashback_reward_is_decided ON {REWARD}", "triggers_are_on"),
            (f"ALTER TABLE {CAMPAIGN} ENABLE TRIGGER cashback_campaign_terms", "triggers_are_on"),
            ("CREATE OR REPLACE FUNCTION cashback_check_campaign() RETURNS trigger LANGUAGE plpgsql AS "
             "$$ BEGIN RETURN NEW; END $$", "trigger_functions_are_ours"),
            (f"ALTER TABLE {CAMPAIGN} DROP CONSTRAINT campaign_spends_within_its_budget", "constraints_are_valid"),
            (f"ALTER TABLE {REWARD} DROP CONSTRAINT reward_once_per_trigger_and_user", "constraints_are_valid"),
            (f"CREATE RULE away AS ON INSERT TO {REWARD} DO INSTEAD NOTHING", "tables_have_no_way_around"),
        ],
    )  # fmt: skip
    def test_a_way_around_them_is_found(self, owner: Owner, change: str, code: str) -> None:
        owner.run(change)
        assert owner.found() == {code}

    def test_the_ledger_knows_the_part_by_its_registration(self) -> None:
        assert extensions()["cashback"] is EXTENSION
        assert set(EXTENSION.checks) <= set(every_check())


@pytest.mark.django_db
class TestCommand:
    @staticmethod
    def run() -> tuple[int, str]:
        out = io.StringIO()
        try:
            call_command("verify_ledger", stdout=out)
        except SystemExit as end:
            return int(end.code or 0), out.getvalue()
        return 0, out.getvalue()

    def test_a_counter_that_was_set_back_is_exit_3(self) -> None:
        earn(UserFactory(kyc_tier=3), "10.00")
        assert self.run()[0] == 0
        Campaign.objects.filter(code="all-back").update(spent=0)
        code, printed = self.run()
        assert code == 3
        assert "campaign_spent_what_was_earned: campaign " in printed
        assert "spent 0.0000 of 1000000.0000, earned 10.0000" in printed

    def test_a_campaign_that_gave_nothing_is_sound(self) -> None:
        running()
        assert self.run()[0] == 0
