"""App configuration."""

from django.apps import AppConfig


class FintechCoreConfig(AppConfig):
    """The ground floor, installed because it has tables of its own."""

    name = "fintech_core"
    verbose_name = "Core"

    def ready(self) -> None:
        """Refuse to start with a broken key ring; register the system checks, built-in health checks and metrics."""
        from fintech_core import builtin_metrics, checks, health, key_rings

        key_rings.check()
        checks.register()
        health.register_builtin()
        builtin_metrics.register_builtin()
