"""Bills for staff: the catalogue to edit with a reason, payments to look at and to have checked."""

from billers.admin import catalogue, payments

__all__ = ["catalogue", "payments"]
