"""What staff must be allowed to see, to ask for and to decide a request of each kind, wherever they do it."""

from typing import Final

from transactions.enums import ApprovalKind

VIEW: Final[dict[str, str]] = {
    ApprovalKind.ADJUSTMENT: "transactions.view_adjustment",
    ApprovalKind.REVERSAL: "transactions.view_undoing",
    ApprovalKind.REFUND: "transactions.view_undoing",
}
ASK: Final[dict[str, str]] = {
    ApprovalKind.ADJUSTMENT: "transactions.add_adjustment",
    ApprovalKind.REVERSAL: "transactions.reverse_transaction",
    ApprovalKind.REFUND: "transactions.refund_transaction",
}
DECIDE: Final[dict[str, str]] = {
    ApprovalKind.ADJUSTMENT: "transactions.decide_adjustment",
    ApprovalKind.REVERSAL: "transactions.decide_undoing",
    ApprovalKind.REFUND: "transactions.decide_undoing",
}
# Besides: to have what a receiver has spent booked to receivables.
BOOK_SHORTFALL: Final = "transactions.book_shortfall"
