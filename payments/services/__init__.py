"""Writes of funding: one facade over the modules that do the work."""

from payments.services.facade import PaymentService

__all__ = ["PaymentService"]
