"""Choices of the ledger and the transitions they allow."""

from django.db import models


class AccountType(models.TextChoices):
    """The five classes of bookkeeping, less equity, which a wallet product does not carry."""

    ASSET = "asset", "Asset"
    LIABILITY = "liability", "Liability"
    INCOME = "income", "Income"
    EXPENSE = "expense", "Expense"


class Direction(models.TextChoices):
    """The side of an account. A wallet is a liability: a credit raises it."""

    DEBIT = "debit", "Debit"
    CREDIT = "credit", "Credit"

    @property
    def opposite(self) -> "Direction":
        """The other side."""
        return Direction.CREDIT if self is Direction.DEBIT else Direction.DEBIT


class TransactionType(models.TextChoices):
    """What a movement is for; ``chart.py`` says which accounts each may touch."""

    FUNDING = "funding", "Funding"
    TRANSFER = "transfer", "Transfer"
    BILL_PAYMENT = "bill_payment", "Bill payment"
    CASHBACK = "cashback", "Cashback"
    CASHBACK_REDEMPTION = "cashback_redemption", "Cashback redemption"
    REFERRAL_BONUS = "referral_bonus", "Referral bonus"
    WITHDRAWAL = "withdrawal", "Withdrawal"
    REFUND = "refund", "Refund"
    REVERSAL = "reversal", "Reversal"
    CONVERSION = "conversion", "Conversion"
    ADJUSTMENT = "adjustment", "Adjustment"
    FEE = "fee", "Fee"


# A funding goes back through its gateway; what we gave ourselves is reversed.
REFUNDABLE = frozenset({TransactionType.TRANSFER, TransactionType.BILL_PAYMENT})


class TransactionStatus(models.TextChoices):
    """``pending`` is a hold; the other three are final."""

    PENDING = "pending", "Pending"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class FloatState(models.TextChoices):
    """Where a float was last seen; on a bound is within."""

    WITHIN = "within", "Within its bounds"
    BELOW = "below", "Below its floor"
    ABOVE = "above", "Above its ceiling"


class ParkedCreditStatus(models.TextChoices):
    """Money that belongs to somebody but could not land, and what became of it."""

    PARKED = "parked", "Parked"
    RELEASED = "released", "Released"
    REVERSED = "reversed", "Reversed"


class ApprovalKind(models.TextChoices):
    """What one member of staff asks for and another decides."""

    ADJUSTMENT = "adjustment", "Correction"
    REVERSAL = "reversal", "Reversal"
    REFUND = "refund", "Refund"


class BalanceClock(models.TextChoices):
    """Which time a question about the past means: when it was written, or when it counts."""

    RECORDED = "recorded", "Recorded"
    EFFECTIVE = "effective", "Effective"


class BulkMode(models.TextChoices):
    """Whether one refused item refuses all."""

    ALL_OR_NOTHING = "all_or_nothing", "All or nothing"
    BEST_EFFORT = "best_effort", "Best effort"


class BulkStatus(models.TextChoices):
    """``completed``: at least one item succeeded. ``failed``: none did."""

    PROCESSING = "processing", "Processing"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"


class BulkItemStatus(models.TextChoices):
    """What became of one transfer of a bulk."""

    PENDING = "pending", "Pending"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"
