"""App configuration."""

from django.apps import AppConfig


class TransactionsConfig(AppConfig):
    """The ledger: chart of accounts, transactions, entries, limits."""

    name = "transactions"
    verbose_name = "Ledger"

    def ready(self) -> None:
        """Register how a transaction answers a replayed request, how the ledger's documents are described, the health
        of holds and of what proves the ledger, and metrics.
        """
        from fintech_core import health
        from fintech_core.documents import register_describer
        from fintech_core.idempotency import register_document
        from transactions import approval_rendering, bulk_rendering, describing, metrics, rendering
        from transactions.models import PARKED_CREDIT, UNDOING
        from transactions.services import expiry
        from transactions.verification import freshness

        health.register("holds", expiry.check_holds, critical=False)
        health.register("evidence", freshness.check_evidence, critical=False)
        register_document("transaction", rendering.answer)
        register_document(bulk_rendering.DOCUMENT, bulk_rendering.answer)
        register_document(approval_rendering.DOCUMENT, approval_rendering.answer)
        register_describer("adjustment", describing.describe_adjustment)
        register_describer(UNDOING, describing.describe_undoing)
        register_describer(PARKED_CREDIT, describing.describe_parked_credit)
        register_describer("conversion_quote", describing.describe_quote)
        metrics.register()
