"""show_transaction: a movement explained to a person."""

import io
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from pytest_django.plugin import DjangoDbBlocker

from fintech_core import clock, documents
from tests.factories import StaffFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import Story, bill_draft, happened, transfer_draft
from transactions.drafts import Authorize, Post, Void
from transactions.explaining import explain
from transactions.management.commands import show_transaction
from transactions.models import Transaction
from transactions.services import TransactionService


def show(named: object) -> str:
    """Run the command in this process and return what it printed."""
    out = io.StringIO()
    call_command("show_transaction", str(named), stdout=out)
    return out.getvalue()


@pytest.mark.django_db
class TestShowTransaction:
    def test_draws_the_entries_as_t_accounts(self) -> None:
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "5000.00")
        sent = happened(Post(transfer_draft(main_wallet(ada), main_wallet(chidi), "1000.00", "25.00")))
        told = show(sent.reference)
        assert told == show(sent.pk)
        assert told.startswith(f"transfer {sent.reference}: completed, NGN 1,000.00 and fee NGN 25.00\n")
        lines = [line.split() for line in told.splitlines()]
        assert ["NGN", "1,025.00", "|", "then", "NGN", "3,975.00", "(version", "2)"] in lines
        assert ["|", "NGN", "25.00"] in lines
        assert f"  customer_wallets NGN, main wallet of {ada.email}" in told
        assert f"  customer_wallets NGN, main wallet of {chidi.email}" in told

    def test_tells_a_hold_and_its_end(self) -> None:
        ada = UserFactory()
        fund(ada, "500.00")
        held = happened(Authorize(bill_draft(main_wallet(ada), "50.00", "1.00")))
        assert f"NGN 51.00 is held on wallet {main_wallet(ada).pk}." in show(held.pk)
        happened(Void(held.pk, "declined"))
        told = show(held.pk)
        assert "No entries: no money moved." in told
        history = told.partition("History\n")[2].splitlines()
        assert [line.split("Z  ")[1] for line in history[:2]] == ["held NGN 51.00", "failed (declined)"]

    def test_links_a_reversal_both_ways_and_names_who_did_it(self) -> None:
        ada, staff = UserFactory(), StaffFactory()
        funding = fund(ada, "500.00")
        with transaction.atomic():
            mirror = TransactionService.reverse(funding, actor=staff, reason="sent twice", now=clock.now())
        told = show(funding.pk)
        assert f"reversed by {mirror.reference}" in told
        assert "sent twice" in told
        assert ["reverses", funding.reference] in [line.split() for line in show(mirror.pk).splitlines()]

    def test_a_document_nobody_describes_is_named_by_its_kind(self) -> None:
        assert "Document: refund, of which nothing more is known" in "\n".join(
            _explained(source_kind="refund", source_id=uuid4())
        )

    def test_a_registered_describer_is_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[UUID] = []

        def describe(document_id: UUID) -> documents.Document:
            asked.append(document_id)
            attempt = documents.Attempt("vtpass", "V-1", "sent", "pending", clock.now(), None)
            return documents.Document("A thing", {"colour": "red", "empty": ""}, (attempt,))

        monkeypatch.setitem(documents._describers, "thing", describe)
        wanted = uuid4()
        told = "\n".join(_explained(source_kind="thing", source_id=wanted))
        assert asked == [wanted]
        assert "Document: A thing\n  colour  red\n  attempt 1: vtpass V-1, made" in told
        assert "not sent: sent, pending" in told

    def test_a_reference_of_several_senders_was_explained_as_whoever_came_first(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        people = [UserFactory() for _ in range(3)]
        made = []
        for sender, receiver in pairwise(people):
            fund(sender, "50.00")
            draft = transfer_draft(main_wallet(sender), main_wallet(receiver), "40.00")
            made.append(happened(Post(replace(draft, reference="rent/11"))))
        with pytest.raises(CommandError) as refusal:
            show("rent/11")
        told = [line.split() for line in str(refusal.value).splitlines()[1:]]
        assert [(line[0], line[2]) for line in told] == [
            (str(row.pk), person.email) for row, person in reversed([*zip(made, people[:2], strict=True)])
        ]
        assert show(made[1].pk).startswith("transfer rent/11: completed, NGN 40.00")
        monkeypatch.setattr(show_transaction, "LISTED", 1)
        with pytest.raises(CommandError, match=f"(?s)by its id:\n  {made[1].pk} .*\n  …$"):
            show("rent/11")

    @pytest.mark.parametrize("named", ["TRX-NONE", "00000000-0000-0000-0000-000000000000", ""])
    def test_one_that_is_not_there_is_an_error(self, named: str) -> None:
        with pytest.raises(CommandError, match="There is no transaction"):
            show(named)


def test_every_movement_of_a_story_can_be_explained(story: Story, django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.unblock():
        for row in Transaction.objects.all():
            assert show(row.pk).startswith(f"{row.type} {row.reference}: {row.status}")
        assert "parked in suspense" in show(story.parked.pk)
        assert "Parked credit" in show(story.released.pk)


def _explained(**facts: object) -> list[str]:
    """Explain a transaction of which only the document matters."""
    ada = UserFactory()
    row = fund(ada, "1.00")
    for name, value in facts.items():
        setattr(row, name, value)
    assert row.amount == Decimal("1.00")
    return list(explain(row))
