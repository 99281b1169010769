"""The real ledger, driven as its callers drive it: each operation commits, and tells which transactions it made."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import ROUND_DOWN, Decimal
from uuid import UUID, uuid4

from django.db import transaction

from cashback.models import Campaign
from cashback.services import award, redeem
from cashback.services.taking_back import take_back_for
from fintech_core import clock
from fintech_core.dry_run import rehearse
from fintech_core.idempotency import Answer, Scope, run
from tests.databases import Databases, worker_name
from tests.factories import ManagerFactory, StaffFactory, UserFactory
from tests.transactions import story
from tests.transactions.model.book import Book
from tests.transactions.model.pages import MAIN, Limit, Offer, Place, Price, Purse, Refused
from transactions import fees, limits, switches
from transactions.drafts import Post, Source, Void, funding_draft
from transactions.enums import BulkStatus, Direction, TransactionStatus
from transactions.models import BulkTransfer, ExchangeRate, FeeRule, LimitRule, ParkedCredit, Transaction
from transactions.services import TransactionService, bulk
from transactions.services.adjustments import book_adjustment, request_adjustment
from transactions.services.bulk_items import BulkItem
from transactions.services.conversions import convert, quote_conversion
from transactions.services.expiry import expire_holds
from transactions.services.releasing import release
from transactions.services.transfers import PrefetchedSending, Sending, send_each, send_money
from users.models import User
from wallet.models import Wallet
from wallet.services import freeze_wallet, open_wallet, unfreeze_wallet

KOBO = Decimal("0.01")
# One dollar is worth 1,600 naira, less 1.5 %; a rate has eight decimals and is rounded down.
DOLLAR, SPREAD = Decimal(1_600), 150
RATES = {("USD", "NGN"): (1_576, 1), ("NGN", "USD"): (61_562, 10**8)}
TIERS = (1, 2, 0)
CURRENCIES = ("NGN", "USD")
PRICES = {
    ("transfer", 1, "NGN"): Price(1_000, 150, 2_500, 200_000),
    ("transfer", 2, "NGN"): Price(0, 25),
    ("transfer", 1, "USD"): Price(5),
    ("conversion", 1, "NGN"): Price(0, 50, 1_000),
}
SAMPLE_OFFER, OWN_OFFER = Offer(100, 50_000, 10**9), Offer(250, 30_000, 45_000)


def kobo(amount: Decimal | None) -> int | None:
    """Return an amount in the smallest unit."""
    return None if amount is None else int(amount / KOBO)


@dataclass
class Bank:
    """Three customers and two of staff, with offices of their own: what others have is none of their business."""

    people: list[User]
    staff: User
    second: User
    campaign: Campaign
    ids: list[UUID] = field(default_factory=list)

    @classmethod
    def opened(cls) -> "Bank":
        """Make the people and an offer that only they can earn from."""
        people = [UserFactory(kyc_tier=tier) for tier in TIERS]
        code = uuid4().hex
        campaign = Campaign.objects.create(
            code=code, name="Offer", status="running", currency="NGN", percent_bp=OWN_OFFER.points,
            cap=OWN_OFFER.cap * KOBO, budget=OWN_OFFER.left * KOBO, biller=code,
            starts_at=clock.now() - timedelta(days=1),
        )  # fmt: skip
        return cls(people, StaffFactory(), ManagerFactory(), campaign)

    def book(self) -> Book:
        """Return the book on its first page."""
        rules = LimitRule.objects.filter(currency__in=CURRENCIES).order_by("effective_from")
        known = {
            (rule.tier, rule.currency): Limit(
                kobo(rule.single), kobo(rule.daily), kobo(rule.monthly), kobo(rule.max_balance)
            )
            for rule in rules
        }
        # The older one first: of two that give the same, it is the one that gives.
        offers = [Offer(one.points, one.cap, one.left) for one in (SAMPLE_OFFER, OWN_OFFER)]
        book = Book(list(TIERS), known, PRICES, offers, RATES, clock.business_day(clock.now()))
        book.purses = {(who, MAIN, "NGN"): Purse() for who in range(len(TIERS))}
        return book

    def wallet(self, place: Place) -> Wallet:
        """Return a wallet as it stands."""
        who, kind, currency = place
        return Wallet.objects.get(owner=self.people[who], kind=kind, currency=currency)

    def open(self, who: int, currency: str) -> list[UUID]:
        open_wallet(user=self.people[who], currency=currency)
        return []

    @transaction.atomic
    def fund(self, place: Place, amount: int, source: str) -> list[UUID]:
        draft = funding_draft(
            wallet_id=self.wallet(place).pk, user_id=self.people[place[0]].pk, amount=amount * KOBO,
            currency=place[2], source_account="gateway_clearing:paystack", source=Source("payment", UUID(source)),
        )  # fmt: skip
        return [TransactionService.post(draft, now=clock.now()).pk]

    @transaction.atomic
    def transfer(self, sender: Place, receiver: Place, amount: int) -> list[UUID]:
        return [send_money(sending=self._sending(sender, receiver, amount), now=clock.now()).pk]

    @transaction.atomic
    def send_together(self, sendings: list[tuple[Place, Place, int]]) -> list[UUID]:
        given = [self._sending(*sending) for sending in sendings]
        results = send_each(sendings=given, may_wait=len(given) % 2 == 0, now=clock.now())
        return [sent.pk for sent in results if sent is not None]

    def _sending(self, sender: Place, receiver: Place, amount: int) -> PrefetchedSending:
        people = self.people
        return Sending(people[sender[0]], people[receiver[0]].email, sender[2], amount * KOBO).prefetch()

    @transaction.atomic
    def hold(self, place: Place, amount: int, fee: int, brief: bool) -> list[UUID]:
        draft = story.bill_draft(self.wallet(place), str(amount * KOBO), str(fee * KOBO))
        draft = replace(draft, expires_at=clock.now() if brief else None)
        return [TransactionService.authorize(draft, now=clock.now()).pk]

    def expire(self) -> list[UUID]:
        expire_holds(now=clock.now())
        return []

    @transaction.atomic
    def capture(self, number: int, amount: int, fee: int) -> list[UUID]:
        held = self.transaction(number)
        operation = story.settlement(held, self._payer(held), amount * KOBO, Decimal(0), fee * KOBO)
        TransactionService.apply([operation], now=clock.now())
        return []

    @transaction.atomic
    def settle(self, number: int) -> list[UUID]:
        held, now = self.transaction(number), clock.now()
        assert held.source_id is not None
        commission = (held.amount / 50).quantize(KOBO, rounding=ROUND_DOWN)
        capture = story.settlement(held, self._payer(held), held.amount - commission, commission, held.fee)
        rewards = award(
            user_id=self._payer(held).owner_id, trigger=Source("bill_payment", held.source_id),
            amount=held.amount, currency="NGN", category="electricity", biller=self.campaign.code,
            product="prepaid", now=now,
        )  # fmt: skip
        _, *paid = TransactionService.apply([capture, *map(Post, rewards)], now=now)
        return [row.pk for row in paid if row is not None]

    @transaction.atomic
    def void(self, number: int, status: str) -> list[UUID]:
        code = "declined" if status == TransactionStatus.FAILED else ""
        operation = Void(self.ids[number], code, TransactionStatus(status))
        TransactionService.apply([operation], now=clock.now())
        return []

    def redeem(self, who: int, currency: str, amount: int | None) -> list[UUID]:
        value = None if amount is None else amount * KOBO
        return [redeem(user=self.people[who], amount=value, currency=currency, now=clock.now()).pk]

    def take_back(self, who: int) -> list[UUID]:
        if not take_back_for(user_id=self.people[who].pk, now=clock.now()):
            raise Refused("nothing_taken_back")
        return []

    @transaction.atomic
    def reverse(self, number: int, shortfall: bool) -> list[UUID]:
        done = self.transaction(number)
        mirror = TransactionService.reverse(
            done, actor=self.staff, reason="x", now=clock.now(), book_shortfall=shortfall
        )
        return [mirror.pk]

    @transaction.atomic
    def refund(self, number: int, amount: int | None, shortfall: bool) -> list[UUID]:
        value = None if amount is None else amount * KOBO
        made = TransactionService.refund(
            self.transaction(number), amount=value, actor=self.staff, reason="x", now=clock.now(),
            book_shortfall=shortfall,
        )  # fmt: skip
        return [made.pk]

    def convert(self, who: int, given: str, taken: str, amount: int) -> list[UUID]:
        user = self.people[who]
        quote = quote_conversion(
            user=user, from_currency=given, to_currency=taken, amount=amount * KOBO, now=clock.now()
        )
        return [convert(user=user, quote_id=quote.pk, now=clock.now()).pk]

    def send_all(self, sender: Place, items: list[tuple[int, int]]) -> list[UUID]:
        done = bulk.send_all(
            sender=self.people[sender[0]], currency=sender[2], items=self._items(items), now=clock.now()
        )
        return list(done.items.order_by("index").values_list("transaction_id", flat=True))

    def send_each(self, sender: Place, items: list[tuple[int, int]]) -> list[UUID]:
        begun = bulk.accept(
            sender=self.people[sender[0]], currency=sender[2], items=self._items(items), now=clock.now()
        )
        bulk.work_off(bulk_id=begun.pk, within_s=10, wait_for_others=True)
        return []

    @transaction.atomic
    def adjust(self, place: Place, amount: int) -> list[UUID]:
        """One of staff asks for it, another books it."""
        direction = Direction.CREDIT if amount > 0 else Direction.DEBIT
        asked = request_adjustment(
            wallet=self.wallet(place), direction=direction, amount=abs(amount) * KOBO, reason="x", effective_at=None,
            maker=self.second, now=clock.now(),
        )  # fmt: skip
        booked = book_adjustment(adjustment_id=asked.pk, checker=self.staff, reason="x", now=clock.now())
        assert booked.result_id is not None
        return [booked.result_id]

    def finish(self) -> None:
        """Finish the bulks that somebody has left."""
        for left in BulkTransfer.objects.filter(sender__in=self.people, status=BulkStatus.PROCESSING):
            bulk.finish(bulk_id=left.pk)

    def _items(self, items: list[tuple[int, int]]) -> list[BulkItem]:
        return [BulkItem(self.people[to].email, amount * KOBO) for to, amount in items]

    def set_status(self, place: Place, status: str) -> list[UUID]:
        wallet = self.wallet(place)
        if status == "active":
            unfreeze_wallet(wallet_id=wallet.pk, actor=self.staff, reason="cleared")
        else:
            freeze_wallet(wallet_id=wallet.pk, actor=self.staff, reason="alert", status=status)
        return []

    def release(self, number: int) -> list[UUID]:
        """Release the credit that waits since a number of others."""
        parked = ParkedCredit.objects.filter(owner__in=self.people).order_by("created_at", "pk")
        row = parked[number]
        if not release(parked_credit_id=row.pk):
            raise Refused("still_parked")
        row.refresh_from_db()
        assert row.released_by_id is not None
        return [row.released_by_id]

    def verify(self, who: int, tier: int) -> None:
        """Raise somebody's tier."""
        self.people[who].kyc_tier = tier
        self.people[who].save(update_fields=["kyc_tier"])

    def keyed(self, who: int, key: str, work: Callable[[], list[UUID]]) -> tuple[Answer, list[UUID]]:
        """Do it as a request under an idempotency key; return the answer, and what was made now."""
        made: list[UUID] = []

        def answered() -> Answer:
            made[:] = work()
            return Answer(201, {"ids": [str(pk) for pk in made]}, document=("transaction", made[0]))

        scope = Scope.of(user_id=self.people[who].pk, operation="model", key=key, body={})
        answer = run(scope, answered)
        return answer, made

    def rehearsed(self, who: int, work: Callable[[], list[UUID]]) -> None:
        """Do it as a dry run."""
        rehearse(work, user_ids=[self.people[who].pk])

    def transaction(self, number: int) -> Transaction:
        """Return a movement's transaction as it stands."""
        return Transaction.objects.get(pk=self.ids[number])

    @staticmethod
    def _payer(held: Transaction) -> Wallet:
        return Wallet.objects.get(pk=held.from_wallet_id)


def fresh(databases: Databases) -> None:
    """Make the machine's database anew: a copy of the template, with prices that hold by now."""
    name = f"{worker_name()}_model"
    databases.close()
    databases.create(name)
    databases.use(name)
    long_ago = clock.now() - timedelta(days=1)
    for (kind, tier, currency), price in PRICES.items():
        FeeRule.objects.create(
            type=kind, tier=tier, currency=currency, flat=price.flat * KOBO, basis_points=price.points,
            minimum=price.least * KOBO, cap=None if price.most is None else price.most * KOBO,
            saved_at=long_ago - timedelta(hours=1), effective_from=long_ago,
        )  # fmt: skip
    ExchangeRate.objects.create(
        currency="USD", mid=DOLLAR, spread_basis_points=SPREAD, saved_at=long_ago, effective_from=long_ago
    )
    forget()


def forget() -> None:
    """Read every rule and switch anew."""
    fees.forget()
    limits.forget()
    switches.forget()
