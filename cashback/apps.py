"""App configuration."""

from django.apps import AppConfig


class CashbackConfig(AppConfig):
    """What customers get back: campaigns, the rewards they gave, and redeeming them."""

    name = "cashback"
    verbose_name = "Cashback"

    def ready(self) -> None:
        """Have rewards and campaigns proven with the ledger, and rewards described."""
        from cashback.describing import describe_reward
        from cashback.verification import EXTENSION
        from fintech_core.documents import register_describer
        from transactions.verification import extensions

        extensions.register(self.label, EXTENSION)
        register_describer("reward", describe_reward)
