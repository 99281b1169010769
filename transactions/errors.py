"""Refusals of the ledger, each with the facts an app can show."""

from fintech_core.exceptions import DomainError


class InsufficientFunds(DomainError):
    """What is available does not cover amount and fee."""

    code, status, title = "insufficient_funds", 422, "There is not enough money in the wallet"


class LimitExceeded(DomainError):
    """A limit of the tier would be passed; the facts say which, how much is left and when it resets."""

    code, status, title = "limit_exceeded", 422, "This would exceed a limit of your tier"


class KycRequired(DomainError):
    """An unverified customer may receive, not send."""

    code, status, title = "kyc_required", 403, "Verify your identity first"


class WalletFrozen(DomainError):
    """The customer's own wallet is frozen, or may not be debited; ``wallet_status`` says which."""

    code, status, title = "wallet_frozen", 403, "Your wallet is frozen or may not be debited"


class RecipientNotFound(DomainError):
    """Nobody can be reached under this e-mail address or verified phone number."""

    code, status, title = "recipient_not_found", 404, "There is no such recipient"


class RecipientCannotReceive(DomainError):
    """The recipient's wallet is frozen, closed, full, or not there in this currency."""

    code, status, title = "recipient_cannot_receive", 422, "The recipient cannot receive this now"


class SameWallet(DomainError):
    """Sender and recipient are one wallet."""

    code, status, title = "same_wallet", 422, "You cannot send money to yourself"


class MoneyOutPaused(DomainError):
    """The operators have stopped outgoing money; reading and receiving go on."""

    code, status, title = "money_out_paused", 503, "Outgoing payments are paused"
    retryable = True


class TransactionNotPending(DomainError):
    """Only a pending transaction can be captured or voided, and only once."""

    code, status, title = "transaction_not_pending", 409, "The transaction is final already"


class CaptureExceedsHold(DomainError):
    """A capture may take at most what was held."""

    code, status, title = "capture_exceeds_hold", 422, "The capture is larger than the hold"


class AlreadyReversed(DomainError):
    """A transaction is reversed at most once."""

    code, status, title = "already_reversed", 409, "The transaction was reversed before"


class NotReversible(DomainError):
    """Only a completed transaction can be reversed; a reversal cannot, nor the release of a parked credit alone."""

    code, status, title = "not_reversible", 422, "This transaction cannot be reversed"


class NotRefundable(DomainError):
    """Only a completed transfer or bill is refunded here; a funding goes back through its gateway."""

    code, status, title = "not_refundable", 422, "This transaction cannot be refunded"


class RefundExceedsAmount(DomainError):
    """All refunds of a transaction together give back at most its amount; the facts say what is left."""

    code, status, title = "refund_exceeds_amount", 422, "This is more than is left to refund"


class DuplicateReference(DomainError):
    """The reference, or the business document behind the movement, was booked before."""

    code, status, title = "duplicate_reference", 409, "This was booked before"


class BulkTransferFailed(DomainError):
    """None of the transfers of a bulk succeeded; the facts say why, item by item."""

    code, status, title = "bulk_transfer_failed", 422, "None of these transfers succeeded"


class NotSent(DomainError):
    """This item would have passed, but another one of an all-or-nothing bulk did not."""

    code, status, title = "not_sent", 422, "Another transfer of the same request was refused"


class WalletsBusy(DomainError):
    """The wallets of these items stayed locked by others for too long; nothing was moved."""

    code, status, title, retryable = "wallets_busy", 503, "The wallets were busy for too long", True


class TooManyUnknownRecipients(DomainError):
    """A bulk must not tell a stranger's list of addresses apart into customers and others."""

    code, status, title = "too_many_unknown_recipients", 422, "Too many of the recipients are unknown"


class LimitRuleRefused(DomainError):
    """A new limit would take effect too soon, or beside another one of the same instant."""

    code, status, title = "limit_rule_refused", 422, "This limit cannot be added"


class FeeRuleRefused(DomainError):
    """A new fee would take effect too soon, beside another one of the same instant, or with figures that clash."""

    code, status, title = "fee_rule_refused", 422, "This fee cannot be added"


class FloatMonitorRefused(DomainError):
    """The account is no float, or the bounds clash or are none that its currency can have."""

    code, status, title = "float_monitor_refused", 422, "This float cannot be watched so"


class StatementTooLong(DomainError):
    """The period has more lines than one document carries; the facts say how many, and how many it may have."""

    code, status, title = "statement_too_long", 422, "Ask for a shorter period"


class BooksDoNotAddUp(DomainError):
    """What the ledger would tell contradicts itself: it is told to nobody, and to the operators at once."""

    code, status, title = "books_do_not_add_up", 503, "This cannot be told now"


class EffectiveTimeRefused(DomainError):
    """A movement cannot take effect in a closed month, in the future, or before its wallet was opened."""

    code, status, title = "effective_time_refused", 422, "It cannot take effect at this time"


class MonthNotClosable(DomainError):
    """Months are closed in their order, each once, and only when they are over."""

    code, status, title = "month_not_closable", 422, "This month cannot be closed"


class PairNotOffered(DomainError):
    """There is no rate between these currencies now."""

    code, status, title = "pair_not_offered", 422, "These currencies cannot be converted now"


class NotConvertible(DomainError):
    """The amount makes nothing in the other currency, or more than a wallet holds."""

    code, status, title = "not_convertible", 422, "This amount cannot be converted"


class QuoteExpired(DomainError):
    """A quote holds for a minute."""

    code, status, title = "quote_expired", 422, "The quote has expired"


class QuoteUsed(DomainError):
    """A quote is converted once."""

    code, status, title = "quote_used", 409, "The quote was converted before"


class RateRefused(DomainError):
    """A rate is of a currency that needs one, from now on or later, one per instant."""

    code, status, title = "rate_refused", 422, "This rate cannot be added"


class NoReceipt(DomainError):
    """Only a completed movement has a receipt."""

    code, status, title = "no_receipt", 409, "There is no receipt of this yet"


class ChartViolation(Exception):
    """A draft touches an account its type may not touch, or does not balance: a bug, never a client's fault."""


class UnexpectedlyDropped(Exception):
    """A guard dropped a draft that its caller needs booked: a bug, never a client's fault."""
