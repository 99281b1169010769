"""``manage.py seed_demo``: people to sign in as, for development."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from backoffice import seeding
from fintech_core import clock


class Command(BaseCommand):
    """Make the demo people that are missing, and print how to sign in."""

    help = "Make ada@example.com, bola@example.com and staff@example.com (never in production)."

    def handle(self, *args: Any, **options: Any) -> None:
        """Seed; may be run again."""
        try:
            made = seeding.seed_demo(now=clock.now())
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        if options["verbosity"] < 1:
            return
        self.stdout.write(f"made {', '.join(made)}" if made else "the demo people are there already")
        for customer in seeding.CUSTOMERS:
            self.stdout.write(f"  {customer.email:<20}password {seeding.PASSWORD:<18}PIN {seeding.PIN}")
        self.stdout.write(f"  {seeding.STAFF_EMAIL:<20}password {seeding.STAFF_PASSWORD:<18}admin")
