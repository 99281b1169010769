"""App configuration."""

from django.apps import AppConfig


class CashbackConfig(AppConfig):
    """What customers get back: campaigns, the rewards they gave, and redeeming them."""

    name = "cashback"
    verbose_name = "Cashback"

    def ready(self) -> None:
        """Have rewards and campaigns proven with the ledger."""
        from cashback.verification import PART
        from transactions.verification import parts

        parts.register(self.label, PART)
