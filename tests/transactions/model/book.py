"""The ledger as a child with a pencil would keep it: plain whole numbers of kobo, no database, no product code.

``Book`` says for every operation what must come of it: ``done``, or the code of the refusal. Whoever asks works on a
copy and keeps it only when the operation was committed, so a refusal, a crash and a dry run leave the book as it was.
A line stands on a wallet (who, kind, currency) or on an account of the chart (code, currency); a credit is a plus.
"""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date

from tests.transactions.model.pages import (
    CASHBACK,
    CLEARING,
    COMMISSION,
    COUNTED,
    FLOAT,
    MAIN,
    POSITION,
    RECEIVABLES,
    REFUNDABLE,
    SUSPENSE,
    Limit,
    Lines,
    Movement,
    Offer,
    Place,
    Price,
    Purse,
    Refused,
    Waiting,
    is_fee,
    is_wallet,
    split,
)  # fmt: skip


@dataclass(slots=True)
class Book:
    """Everything that is known of the people, their money and what happened to it."""

    tiers: list[int]
    limits: dict[tuple[int, str], Limit]
    prices: dict[tuple[str, int, str], Price]
    offers: list[Offer]
    rates: dict[tuple[str, str], tuple[int, int]]
    today: date
    purses: dict[Place, Purse] = field(default_factory=dict)
    accounts: Counter[tuple[str, str]] = field(default_factory=Counter)
    movements: list[Movement] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)

    def open(self, who: int, currency: str) -> None:
        """A wallet in another currency."""
        if (who, MAIN, currency) in self.purses:
            raise Refused("wallet_exists")
        self.purses[who, MAIN, currency] = Purse()

    def fund(self, place: Place, amount: int, source: str) -> None:
        """Money comes in through a gateway, once for each payment."""
        currency = place[2]
        lines: Lines = [((CLEARING, currency), -amount), (place, amount)]
        movement = Movement("funding", amount, 0, currency, receiver=place, source=source)
        self._post(movement, lines, parkable=True)

    def transfer(self, sender: Place, receiver: Place, amount: int) -> None:
        """Money goes to somebody else; the sender pays the fee on top."""
        if receiver not in self.purses:
            raise Refused("recipient_cannot_receive")
        currency = sender[2]
        fee = self.fee("transfer", sender, amount)
        lines: Lines = [(sender, -(amount + fee)), (receiver, amount)]
        if fee:
            lines.append((("fees:transfer", currency), fee))
        self._post(Movement("transfer", amount, fee, currency, sender, receiver), lines)

    def hold(self, place: Place, amount: int, fee: int, brief: bool) -> None:
        """Money is promised for a bill, until it is asked for or, where that is brief, until somebody looks."""
        purse = self.purses[place]
        if purse.status != "active":
            raise Refused("wallet_frozen")
        if self.tiers[place[0]] == 0:
            raise Refused("kyc_required")
        total = amount + fee
        if total > purse.free:
            raise Refused("insufficient_funds")
        movement = Movement(
            "bill_payment", amount, fee, place[2], place, status="pending", hold=total, brief=brief
        )
        self._count(movement)
        purse.held += total
        self.movements.append(movement)

    def capture(self, number: int, amount: int, fee: int, commission: int = 0) -> None:
        """A promise is kept, whole or in part; the rest is given back. A part of the amount is our commission."""
        movement = self._pending(number)
        if amount + fee > (movement.hold or 0) or amount > movement.amount:
            raise Refused("capture_exceeds_hold")
        assert movement.sender is not None
        self.purses[movement.sender].held -= movement.hold or 0
        movement.status, movement.amount, movement.fee, movement.counted = "completed", amount, fee, amount
        currency = movement.currency
        movement.lines = [(movement.sender, -(amount + fee)), ((FLOAT, currency), amount - commission)]
        if commission:
            movement.lines.append(((COMMISSION, currency), commission))
        if fee:
            movement.lines.append((("fees:bill_payment", currency), fee))
        self._enter(movement)

    def settle(self, number: int) -> None:
        """A bill is delivered: all of it is captured, and the best offer rewards the payer in the same step."""
        movement = self._pending(number)
        amount = movement.amount
        self.capture(number, amount, movement.fee, amount // 50)
        best = max(range(len(self.offers)), key=lambda offer: self.offers[offer].gives(amount))
        reward = self.offers[best].gives(amount)
        if not reward:
            return
        self.offers[best].left -= reward
        assert movement.sender is not None
        who, _, currency = movement.sender
        place = (who, CASHBACK, currency)
        self.purses.setdefault(place, Purse())
        lines: Lines = [(("cashback_expense", currency), -reward), (place, reward)]
        earned = Movement("cashback", reward, 0, currency, receiver=place, rewards=number, offer=best)
        self._post(earned, lines, parkable=True)

    def take_back(self, who: int) -> None:
        """What bills that were given back have earned goes back, budget and all, as far as it is there still."""
        taken = 0
        for number in self.unearned(who):
            reward = self.movements[number]
            try:
                if not reward.reversed:
                    self.reverse(number, False)
            except Refused:
                continue
            reward.taken_back = True
            self.offers[reward.offer].left += reward.amount
            taken += 1
        if not taken:
            raise Refused("nothing_taken_back")

    def unearned(self, who: int) -> list[int]:
        """Return the rewards of somebody that should go: the bill was given back, or staff have reversed the reward."""
        return [
            number
            for number, row in enumerate(self.movements)
            if row.rewards is not None and not row.taken_back
            and (row.reversed or self.given_back(row.rewards))
            and self.payer(row.rewards) == who
        ]  # fmt: skip

    def payer(self, number: int) -> int:
        """Return who paid a bill."""
        sender = self.movements[number].sender
        assert sender is not None
        return sender[0]

    def void(self, number: int, status: str) -> None:
        """A promise is given back, to the limits too."""
        movement = self._pending(number)
        assert movement.sender is not None
        self.purses[movement.sender].held -= movement.hold or 0
        movement.status, movement.counted = status, 0

    def redeem(self, who: int, currency: str, amount: int | None) -> None:
        """Cashback becomes money; None is all of it."""
        source, target = (who, CASHBACK, currency), (who, MAIN, currency)
        purse = self.purses.get(source)
        if purse is None or (amount is None and not purse.free):
            raise Refused("insufficient_funds")
        value = purse.free if amount is None else amount
        movement = Movement("cashback_redemption", value, 0, currency, source, target)
        try:
            self._post(movement, [(source, -value), (target, value)])
        except Refused as refusal:
            stopped = self.purses[target].status == "frozen"
            if refusal.code == "recipient_cannot_receive" and stopped:
                raise Refused("wallet_frozen") from refusal
            raise

    def reverse(self, number: int, shortfall: bool) -> None:
        """The mirror of a movement, once; the receiver must still have the money, or owes it.

        Of a credit that had to wait, its release goes first, if there was one; that alone is not undone.
        """
        movement = self.movements[number]
        if movement.status != "completed" or movement.kind == "reversal":
            raise Refused("not_reversible")
        row = None if movement.parked is None else self.waiting[movement.parked]
        if row is not None and row.by != number:
            raise Refused("not_reversible")
        if movement.reversed:
            raise Refused("already_reversed")
        if self.refunded(number):
            raise Refused("not_reversible")
        if row is not None:
            row.reversed = True
            if row.released is not None:
                self._mirror(self.movements[row.released], shortfall)
        self._mirror(movement, shortfall)

    def _mirror(self, movement: Movement, shortfall: bool) -> None:
        total = movement.amount + movement.fee
        mirror = Movement("reversal", total, 0, movement.currency, movement.receiver, movement.sender)
        lines = [(place, -value) for place, value in reversed(movement.lines)]
        self._post(mirror, lines, ignores_status=True, capped=False, shortfall=shortfall)
        movement.reversed = True

    def refund(self, number: int, amount: int | None, shortfall: bool) -> None:
        """A part of what was paid, or all that is left, comes back from whoever got it; the fee is kept."""
        movement = self.movements[number]
        if movement.status != "completed" or movement.kind not in REFUNDABLE:
            raise Refused("not_refundable")
        if movement.reversed:
            raise Refused("already_reversed")
        before = self.refunded(number)
        given = movement.amount - before if amount is None else amount
        if not 0 < given <= movement.amount - before:
            raise Refused("refund_exceeds_amount")
        received = [(place, value) for place, value in movement.lines if value > 0 and not is_fee(place)]
        weights = [value for _, value in received]
        shares = zip(split(before + given, weights), split(before, weights), strict=True)
        lines: Lines = [
            (place, early - late) for (place, _), (late, early) in zip(received, shares, strict=True)
        ]
        assert movement.sender is not None
        lines = [*((place, value) for place, value in lines if value), (movement.sender, given)]
        made = Movement(
            "refund", given, 0, movement.currency, movement.receiver, movement.sender, undoes=number
        )
        self._post(made, lines, parkable=True, ignores_status=True, capped=False, shortfall=shortfall)

    def given_back(self, number: int) -> bool:
        """Say whether a movement was reversed, or refunded in full."""
        movement = self.movements[number]
        return movement.reversed or self.refunded(number) == movement.amount

    def refunded(self, number: int) -> int:
        """Return what was given back of a movement and stayed given."""
        return sum(row.amount for row in self.movements if row.undoes == number and not row.reversed)

    def convert(self, who: int, given: str, taken: str, amount: int) -> None:
        """Money changes its currency at the house's rate, between wallets of one person."""
        if self.tiers[who] == 0:
            raise Refused("kyc_required")
        source, target = (who, MAIN, given), (who, MAIN, taken)
        if source not in self.purses or target not in self.purses:
            raise Refused("not_found")
        numerator, denominator = self.rates[given, taken]
        made = amount * numerator // denominator
        if not made:
            raise Refused("not_convertible")
        fee = self.fee("conversion", source, amount)
        lines: Lines = [(source, -(amount + fee)), ((POSITION, given), amount)]
        lines += [((POSITION, taken), -made), (target, made)]
        if fee:
            lines.append((("fees:conversion", given), fee))
        self._post(Movement("conversion", amount, fee, given, source, target), lines)

    def adjust(self, place: Place, amount: int) -> None:
        """Staff correct a wallet, by a plus or a minus, past limits, caps and stops, never past what is free."""
        ends = (None, place) if amount > 0 else (place, None)
        movement = Movement("adjustment", abs(amount), 0, place[2], *ends)
        lines: Lines = [(("adjustments", place[2]), -amount), (place, amount)]
        self._post(movement, lines if amount > 0 else lines[::-1], ignores_status=True, capped=False)

    def fee(self, kind: str, payer: Place, amount: int) -> int:
        """Return what a movement costs its payer."""
        return self.prices.get((kind, self.tiers[payer[0]], payer[2]), Price()).of(amount)

    def send_together(self, sendings: list[tuple[Place, Place, int]]) -> None:
        """Several people's transfers, each for itself."""
        for sender, receiver, amount in sendings:
            with suppress(Refused):
                self.transfer(sender, receiver, amount)

    def send_all(self, sender: Place, items: list[tuple[int, int]]) -> None:
        """Many transfers or none."""
        if not self._attempted(sender, items, of_the_sender=True):
            raise Refused("bulk_transfer_failed")

    def send_each(self, sender: Place, items: list[tuple[int, int]]) -> None:
        """Many transfers, each for itself."""
        self._attempted(sender, items, of_the_sender=False)

    def _attempted(self, sender: Place, items: list[tuple[int, int]], *, of_the_sender: bool) -> bool:
        """Try each transfer and say whether all were done."""
        if sender not in self.purses:
            raise Refused("not_found")
        done = True
        for to, amount in items:
            try:
                if to == sender[0]:
                    raise Refused("same_wallet")
                self.transfer(sender, (to, *sender[1:]), amount)
            except Refused as refusal:
                if of_the_sender and refusal.code in {"kyc_required", "wallet_frozen"}:
                    raise
                done = False
        return done

    def expire(self) -> None:
        """The time of every brief hold is over."""
        for number, row in enumerate(self.movements):
            if row.brief and row.status == "pending":
                self.void(number, "cancelled")

    def set_status(self, place: Place, status: str) -> None:
        """Staff stop a wallet, or let it move again."""
        purse = self.purses[place]
        if purse.status == status:
            raise Refused("wallet_state_conflict")
        purse.status = status

    def release(self, number: int) -> None:
        """A credit that waits lands, if it may."""
        row = self.waiting[number]
        if row.released is not None or row.reversed:
            raise Refused("still_parked")
        lines: Lines = [((SUSPENSE, row.place[2]), -row.amount), (row.place, row.amount)]
        movement = Movement(row.kind, row.amount, 0, row.place[2], receiver=row.place)
        try:
            self._post(movement, lines)
        except Refused as refusal:
            raise Refused("still_parked") from refusal
        row.released, movement.parked = len(self.movements) - 1, number

    def spent(self, place: Place) -> tuple[int, int]:
        """Return what counts against the limits today and this month."""
        mine = [row for row in self.movements if row.sender == place and row.day is not None and row.counted]
        month = (self.today.year, self.today.month)
        return (
            sum(row.counted for row in mine if row.day == self.today),
            sum(row.counted for row in mine if row.day and (row.day.year, row.day.month) == month),
        )

    def limit(self, place: Place) -> Limit:
        """Return the limits of a wallet's owner."""
        return self.limits[self.tiers[place[0]], place[2]]

    def _pending(self, number: int) -> Movement:
        movement = self.movements[number]
        if movement.status != "pending":
            raise Refused("transaction_not_pending")
        return movement

    def _post(
        self, movement: Movement, lines: Lines, *, parkable: bool = False, ignores_status: bool = False,
        capped: bool = True, shortfall: bool = False,
    ) -> None:  # fmt: skip
        """Decide line by line what each wallet may do, then write."""
        if shortfall:
            lines = self._owed(lines)
        moved: Counter[Place] = Counter()
        for index, (place, value) in enumerate(lines):
            if not is_wallet(place):
                continue
            purse = self.purses[place]
            if value < 0:
                if purse.status != "active" and not ignores_status:
                    raise Refused("wallet_frozen")
                if movement.kind in COUNTED and self.tiers[place[0]] == 0:
                    raise Refused("kyc_required")
                if -value > purse.free + moved[place]:
                    raise Refused("insufficient_funds")
            elif purse.status == "frozen" or (capped and self._is_full(place, value)):
                if not parkable:
                    raise Refused("recipient_cannot_receive")
                lines[index] = ((SUSPENSE, place[2]), value)
                movement.receiver, movement.parked = None, len(self.waiting)
                self.waiting.append(Waiting(place, movement.kind, value, len(self.movements)))
                break
            moved[place] += value
        if movement.kind in COUNTED:
            self._count(movement)
        if movement.source and movement.source in {row.source for row in self.movements}:
            raise Refused("duplicate_reference")
        movement.lines = lines
        self._enter(movement)
        self.movements.append(movement)

    def _owed(self, lines: Lines) -> Lines:
        """Take from each wallet what is free at most; the rest is owed to the house."""
        left = {place: purse.free for place, purse in self.purses.items()}
        owed: Lines = []
        for place, value in lines:
            if is_wallet(place):
                taken = max(value, -left[place])
                left[place] += taken
                if taken:
                    owed.append((place, taken))
                if value != taken:
                    owed.append(((RECEIVABLES, place[2]), value - taken))
            else:
                owed.append((place, value))
        return owed

    def _is_full(self, place: Place, value: int) -> bool:
        most = self.limit(place).most
        return place[1] == MAIN and most is not None and self.purses[place].has + value > most

    def _count(self, movement: Movement) -> None:
        assert movement.sender is not None
        limit = self.limit(movement.sender)
        today, month = self.spent(movement.sender)
        for most, used in ((limit.single, 0), (limit.daily, today), (limit.monthly, month)):
            if most is not None and used + movement.amount > most:
                raise Refused("limit_exceeded")
        movement.day, movement.counted = self.today, movement.amount

    def _enter(self, movement: Movement) -> None:
        for place, value in movement.lines:
            if is_wallet(place):
                self.purses[place].has += value
                self.purses[place].version += 1
            else:
                self.accounts[place] += value
