"""What the database refuses by itself about campaigns and rewards: as the application's role, and as the owner."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, ProgrammingError, connections, transaction
from pytest_django.plugin import DjangoDbBlocker

from tests.cashback.offers import books
from tests.cashback.scenes import Scene
from transactions.verification import verify

CAMPAIGN, REWARD = "cashback_campaign", "cashback_reward"


@dataclass(frozen=True, slots=True)
class Attacker:
    """Somebody with a role's password."""

    scene: Scene
    role: str

    def refused(self, statement: str) -> str:
        """Run a statement to its COMMIT; assert that nothing changed and return the rule that refused it."""
        before = books()
        with pytest.raises((IntegrityError, ProgrammingError)) as refusal:
            self.run(statement)
        assert books() == before
        return rule_of(refusal.value)

    def run(self, statement: str) -> int:
        """Run a statement in a transaction of its own, up to the checks of a COMMIT; it is never kept."""
        values = self.scene.ids() | {"fresh": uuid4()}
        with transaction.atomic(using=self.role), connections[self.role].cursor() as cursor:
            cursor.execute(statement, values)
            changed = cursor.rowcount
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            transaction.set_rollback(True, using=self.role)
        return int(changed)


def rule_of(error: DatabaseError) -> str:
    """Name the constraint, or what else refused."""
    diagnosis: Any = getattr(error.__cause__, "diag", None)
    return str(diagnosis.constraint_name or diagnosis.message_primary)


@pytest.fixture(params=["default", "owner"])
def attacker(
    scene: Scene, request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker
) -> Iterator[Attacker]:
    """Somebody with the application's password, then somebody with the owner's; all is sound afterwards."""
    with django_db_blocker.unblock():
        yield Attacker(scene, request.param)
        assert verify().findings == ()


def campaign(change: str, which: str = "campaign") -> str:
    return f"UPDATE {CAMPAIGN} SET {change} WHERE id = %({which})s"


def reward(change: str, which: str = "earned") -> str:
    return f"UPDATE {REWARD} SET {change} WHERE id = %({which})s"


def new_reward(**values: str) -> str:
    """Insert a reward with its fields given as SQL."""
    given = {
        "id": "%(fresh)s", "campaign_id": "%(campaign)s", "user_id": "%(user)s", "trigger_kind": "'bill_payment'",
        "trigger_id": "%(fresh)s", "amount": "1", "currency": "'NGN'", "status": "'pending'",
        "transaction_id": "NULL", "created_at": "now()", **values,
    }  # fmt: skip
    return f"INSERT INTO {REWARD} ({', '.join(given)}) VALUES ({', '.join(given.values())})"


TERMS_ATTACKS = [
    "code = 'other'", "name = 'Other'", "currency = 'USD'", "percent_bp = 10000", "cap = cap + 1", "min_payment = 1",
    "budget = budget + 1", "category = ''", "biller = 'mtn'", "product = 'airtime'",
    "starts_at = starts_at - interval '1 day'", "ends_at = now() + interval '9 days'", "terms = 'other'",
]  # fmt: skip
CAMPAIGN_ATTACKS = {
    "spent above the budget": (campaign("spent = budget + 1"), "campaign_spends_within_its_budget"),
    "spent below nothing": (campaign("spent = -1"), "campaign_spends_within_its_budget"),
    "back to draft": (campaign("status = 'draft'"), "campaign_moves_as_declared"),
    "an ended one runs again": (campaign("status = 'running'", "ended"), "campaign_moves_as_declared"),
    "a draft is paused": (campaign("status = 'paused'", "written"), "campaign_moves_as_declared"),
    "an unknown status": (campaign("status = 'lost'"), "campaign_moves_as_declared"),
    "a draft becomes another": (campaign("id = %(fresh)s", "written"), "campaign_identity_never_changes"),
    "a draft is older": (campaign("created_at = now() - interval '1 day'", "written"),
                         "campaign_identity_never_changes"),
    "one is deleted": (f"DELETE FROM {CAMPAIGN} WHERE id = %(written)s", "campaigns_stay"),
    "all are deleted": (f"DELETE FROM {CAMPAIGN}", "campaigns_stay"),
    "one of nought percent": (campaign("percent_bp = 0", "written"), "campaign_percent_is_sane"),
    "one of more than everything": (campaign("percent_bp = 10001", "written"), "campaign_percent_is_sane"),
    "one without a cap": (campaign("cap = 0", "written"), "campaign_amounts_are_sane"),
    "one that ends before it starts": (campaign("ends_at = starts_at", "written"), "campaign_ends_after_its_start"),
    "a code twice": (campaign("code = 'paused'", "written"), "cashback_campaign_code_key"),
    "one that has spent already": (
        f"INSERT INTO {CAMPAIGN} (id, code, name, status, currency, percent_bp, cap, min_payment, budget, spent, "
        "category, biller, product, starts_at, terms, created_at) VALUES (%(fresh)s, 'x', 'x', 'running', 'NGN', 1, "
        "1, 0, 5, 1, '', '', '', now(), '', now())", "campaigns_begin_unspent"),
}  # fmt: skip
REWARD_ATTACKS = {
    "a larger one": (reward("amount = amount + 1"), "reward_moves_as_declared"),
    "of another campaign": (reward("campaign_id = %(paused)s"), "reward_moves_as_declared"),
    "pending again": (reward("status = 'pending', transaction_id = NULL"), "reward_moves_as_declared"),
    "dropped after it was earned": (reward("status = 'dropped', transaction_id = NULL"), "reward_moves_as_declared"),
    "earned after it was dropped": (reward("status = 'earned', transaction_id = %(redemption)s", "dropped"),
                                    "reward_moves_as_declared"),
    "earned again after it was cancelled": (reward("status = 'earned'", "cancelled"), "reward_moves_as_declared"),
    "cancelled and smaller": (reward("status = 'cancelled', amount = 1"), "reward_facts_never_change"),
    "cancelled of another posting": (reward("status = 'cancelled', transaction_id = %(redemption)s"),
                                     "reward_facts_never_change"),
    "deleted": (f"DELETE FROM {REWARD} WHERE id = %(dropped)s", "rewards_stay"),
    "born earned": (new_reward(status="'earned'", transaction_id="%(redemption)s"), "rewards_begin_pending"),
    "born dropped": (new_reward(status="'dropped'"), "rewards_begin_pending"),
    "never decided": (new_reward(), "reward_is_decided_at_commit"),
    "twice for one payment": (
        f"INSERT INTO {REWARD} SELECT %(fresh)s, trigger_kind, trigger_id, amount, currency, 'pending', created_at, "
        f"%(paused)s, NULL, user_id FROM {REWARD} WHERE id = %(earned)s", "reward_once_per_trigger_and_user"),
    "of nothing": (new_reward(amount="0"), "reward_amount_is_positive"),
}  # fmt: skip


class TestCampaigns:
    @pytest.mark.parametrize("change", TERMS_ATTACKS)
    def test_the_terms_of_what_runs_stay(self, attacker: Attacker, change: str) -> None:
        assert attacker.refused(campaign(change)) == "campaign_terms_stay"

    @pytest.mark.parametrize("which", ["paused", "ended"])
    def test_so_do_those_of_what_has_run(self, attacker: Attacker, which: str) -> None:
        assert attacker.refused(campaign("budget = budget + 1", which)) == "campaign_terms_stay"

    @pytest.mark.parametrize("change", [term for term in TERMS_ATTACKS if not term.startswith("code")])
    def test_a_draft_may_still_be_edited(self, attacker: Attacker, change: str) -> None:
        assert attacker.run(campaign(change, "written")) == 1

    @pytest.mark.parametrize("attack", CAMPAIGN_ATTACKS)
    def test_it_cannot_be(self, attacker: Attacker, attack: str) -> None:
        statement, rule = CAMPAIGN_ATTACKS[attack]
        assert attacker.refused(statement) == rule

    def test_it_cannot_be_emptied(self, attacker: Attacker) -> None:
        rule = attacker.refused(f"TRUNCATE {CAMPAIGN} CASCADE")
        assert rule in {"campaigns_stay", "permission denied for table cashback_campaign"}


class TestRewards:
    @pytest.mark.parametrize("attack", REWARD_ATTACKS)
    def test_it_cannot_be(self, attacker: Attacker, attack: str) -> None:
        statement, rule = REWARD_ATTACKS[attack]
        assert attacker.refused(statement) == rule

    def test_it_cannot_be_emptied(self, attacker: Attacker) -> None:
        rule = attacker.refused(f"TRUNCATE {REWARD}")
        assert rule in {"rewards_stay", "permission denied for table cashback_reward"}

    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            ("status = 'earned', transaction_id = %(redemption)s, amount = 2", "reward_is_only_trimmed"),
            (
                "status = 'earned', transaction_id = %(redemption)s, user_id = NULL",
                "reward_facts_never_change",
            ),
            ("status = 'earned'", "reward_given_has_its_transaction"),
            ("status = 'dropped', transaction_id = %(redemption)s", "reward_facts_never_change"),
            ("status = 'cancelled'", "reward_moves_as_declared"),
            ("amount = 0.5", "reward_moves_as_declared"),
        ],
    )
    def test_what_is_decided_wrongly_is_refused(self, attacker: Attacker, change: str, rule: str) -> None:
        born = f"{new_reward()}; UPDATE {REWARD} SET {change} WHERE id = %(fresh)s"
        assert attacker.refused(born) == rule
