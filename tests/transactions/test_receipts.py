"""Receipts: one's own as JSON and PDF, and a code by which a stranger learns whether one is real, and no more."""

import io
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from uuid import UUID, uuid4

import pypdf
import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from fintech_core import clock
from tests.factories import StaffFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import bill_draft, happened, transfer_draft
from transactions.drafts import Authorize, Post
from transactions.models import Transaction
from transactions.receipts import as_pdf, codes
from transactions.receipts.reading import receipt_for
from transactions.services import TransactionService
from users.models import User

Api = Callable[..., APIClient]


@pytest.fixture
def people(db: None) -> tuple[User, User]:
    ada = UserFactory(first_name="Adé", last_name="Ọbasanjọ", email="ade@example.com", phone="+2348031234567")
    chidi = UserFactory(first_name="Chidi", last_name="Okafor")
    fund(ada, "1000.00")
    return ada, chidi


@pytest.fixture
def sent(people: tuple[User, User]) -> Transaction:
    """40.00 from Adé to Chidi with a fee of 1.00 and a note of their own."""
    ada, chidi = people
    draft = transfer_draft(main_wallet(ada), main_wallet(chidi), "40.00", "1.00")
    return happened(Post(replace(draft, description="private note", metadata={"secret": "4711"})))


def path(booked: Transaction) -> str:
    return f"/api/v1/transactions/{booked.pk}/receipt"


class TestCodes:
    @given(st.uuids())
    def test_carry_the_movement_however_people_type_them(self, value: UUID) -> None:
        code = codes.code_of(value)
        assert len(code) == codes.LENGTH
        typed = code.lower().replace("0", "o").replace("1", "l")
        assert codes.read(code) == codes.read(typed) == codes.read(f" {code[:20]}-{code[20:]}") == value

    @given(st.uuids(), st.integers(0, codes.LENGTH - 1), st.integers(1, 31))
    def test_a_changed_character_is_no_code(self, value: UUID, place: int, shift: int) -> None:
        code = codes.code_of(value)
        other = codes.ALPHABET[(codes.ALPHABET.index(code[place]) + shift) % 32]
        assert codes.read(code[:place] + other + code[place + 1 :]) is None

    @pytest.mark.parametrize(
        "text", ["", "0", "Z" * 42, "0" * 42, "٠" * 42, "U" * 42, "1" * 41, "1" * 4_000, "\u0000"]
    )
    def test_every_other_text_is_none(self, text: str) -> None:
        assert codes.read(text) is None


@pytest.mark.django_db
class TestOnesOwn:
    def test_names_oneself_in_full_and_masks_the_other(
        self, api: Api, people: tuple[User, User], sent: Transaction
    ) -> None:
        told = api(people[0]).get(path(sent)).json()
        assert (told["amount"], told["fee"], told["total"], told["description"]) == (
            "40.00", "1.00", "41.00", "private note",
        )  # fmt: skip
        assert (told["sender"], told["receiver"]) == ({"name": "Adé Ọbasanjọ"}, {"name": "Chidi O."})
        assert told["verify_url"].endswith(f"/receipts/{told['code']}")
        seen = api(people[1]).get(path(sent)).json()
        assert (seen["fee"], seen["total"]) == ("0.00", "40.00")
        assert (seen["sender"], seen["receiver"]) == ({"name": "Adé Ọ."}, {"name": "Chidi Okafor"})

    def test_as_pdf_with_the_address(self, api: Api, people: tuple[User, User], sent: Transaction) -> None:
        answer = api(people[0]).get(path(sent), headers={"Accept": "application/pdf"})
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/pdf")
        text = "".join(pypdf.PdfReader(io.BytesIO(answer.content)).pages[0].extract_text().split())
        for expected in ("Adé Ọbasanjọ", "NGN 41.00", "Chidi O.", codes.code_of(sent.pk), sent.reference):
            assert expected.replace(" ", "") in text
        again = receipt_for(user=people[0], transaction_id=sent.pk)
        assert as_pdf.write(again) == as_pdf.write(receipt_for(user=people[0], transaction_id=sent.pk))

    def test_1_11_nobody_elses(self, api: Api, sent: Transaction) -> None:
        for wanted in (path(sent), f"/api/v1/transactions/{uuid4()}/receipt"):
            answer = api(UserFactory()).get(wanted)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert api().get(path(sent)).status_code == 401

    def test_not_of_what_has_not_happened(self, api: Api, people: tuple[User, User]) -> None:
        held = happened(Authorize(bill_draft(main_wallet(people[0]), "5.00")))
        answer = api(people[0]).get(path(held))
        assert (answer.status_code, answer.json()["code"]) == (409, "no_receipt")
        assert api().get(f"/api/v1/receipts/{codes.code_of(held.pk)}").json()["result"] == "not_real"

    @pytest.mark.parametrize(("accept", "status"), [("text/csv", 406), ("image/png", 406), ("*/*", 200)])
    def test_in_the_formats_there_are(
        self, api: Api, people: tuple[User, User], sent: Transaction, accept: str, status: int
    ) -> None:
        assert api(people[0]).get(path(sent), headers={"Accept": accept}).status_code == status

    def test_of_a_funding_names_where_it_came_from(self, api: Api, people: tuple[User, User]) -> None:
        funded = Transaction.objects.get(type="funding", to_user=people[0])
        told = api(people[0]).get(path(funded)).json()
        assert (told["sender"], told["receiver"]) == ({"name": "Funding"}, {"name": "Adé Ọbasanjọ"})


@pytest.mark.django_db
class TestVerifying:
    def test_a_real_one_shows_amount_time_and_masked_names_alone(self, api: Api, sent: Transaction) -> None:
        answer = api().get(f"/api/v1/receipts/{codes.code_of(sent.pk)}")
        assert answer.status_code == 200
        told = answer.json()
        assert (told["result"], told["amount"], told["currency"]) == ("real", "40.00", "NGN")
        assert (told["sender"], told["receiver"]) == ({"name": "Adé Ọ."}, {"name": "Chidi O."})
        for secret in ("private", "4711", sent.reference, "ade@example.com", "803123", "1.00", str(sent.pk)):
            assert secret not in answer.content.decode().replace("40.00", "")

    def test_a_reversed_one_says_so(self, api: Api, sent: Transaction) -> None:
        with transaction.atomic():
            TransactionService.reverse(sent, actor=StaffFactory(), reason="mistaken", now=clock.now())
        code = codes.code_of(sent.pk)
        told = api().get(f"/api/v1/receipts/{code}").json()
        assert told["result"] == "reversed"
        assert told["reversed_at"] is not None
        assert "was reversed" in api().get(f"/receipts/{code}").content.decode()

    def test_what_was_given_back_of_it_is_told_and_no_more_once_that_was_undone(
        self, api: Api, sent: Transaction
    ) -> None:
        with transaction.atomic():
            part = TransactionService.refund(
                sent, amount=Decimal(15), actor=None, reason="mistaken", now=clock.now()
            )
        assert self.refunded(api, sent) == 15
        with transaction.atomic():
            TransactionService.reverse(part, actor=None, reason="mistaken", now=clock.now())
        assert self.refunded(api, sent) == 0

    @staticmethod
    def refunded(api: Api, booked: Transaction) -> Decimal:
        """Return what a stranger with the code of a real movement is told of refunds."""
        told = api().get(f"/api/v1/receipts/{codes.code_of(booked.pk)}").json()
        assert told["result"] == "real"
        return Decimal(told["refunded_amount"])

    @pytest.mark.parametrize("code", ["nonsense", "0" * 42, "Z" * 42])
    def test_an_invented_one_is_not_real(self, api: Api, sent: Transaction, code: str) -> None:
        answer = api().get(f"/api/v1/receipts/{code}")
        assert answer.status_code == 200
        assert answer.json() == {**dict.fromkeys(answer.json()), "result": "not_real"}
        assert "not real" in api().get(f"/receipts/{code}").content.decode()

    def test_the_page_of_a_scanner(self, api: Api, people: tuple[User, User], sent: Transaction) -> None:
        User.objects.filter(pk=people[1].pk).update(first_name="<script>")
        for address in ("/receipts/{}", "/api/v1/receipts/{}?format=html"):
            page = api().get(address.format(codes.code_of(sent.pk)))
            text = page.content.decode()
            assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
            assert "This receipt is real" in text
            assert "NGN 40.00" in text
            assert "<script>" not in text
            assert "private note" not in text
            assert page.headers["X-Robots-Tag"] == "noindex"
        assert (
            api().get(f"/receipts/{codes.code_of(sent.pk)}", headers={"Accept": "image/png"}).status_code
            == 200
        )

    def test_a_token_that_has_expired_does_not_matter(self, api: Api, sent: Transaction) -> None:
        client = api()
        answer = client.get(
            f"/api/v1/receipts/{codes.code_of(sent.pk)}", headers={"Authorization": "Bearer nonsense"}
        )
        assert answer.status_code == 200
