"""Errors of this app. Both are bugs of the caller, never a client's fault."""


class UnknownEventType(LookupError):
    """An event was published under a name that the catalogue does not have."""


class PayloadRefused(ValueError):
    """A payload lacks a field, has one that the catalogue does not allow, or holds what is no plain fact."""
