"""App configuration."""

from django.apps import AppConfig


class TransactionsConfig(AppConfig):
    """The ledger: chart of accounts, transactions, entries, limits."""

    name = "transactions"
    verbose_name = "Ledger"

    def ready(self) -> None:
        """Register how a transaction answers a replayed request."""
        from fintech_core.idempotency import register_document
        from transactions import bulk_rendering, rendering

        register_document("transaction", rendering.answer)
        register_document(bulk_rendering.DOCUMENT, bulk_rendering.answer)
