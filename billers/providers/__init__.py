"""Vendors of bills: one interface, one module per vendor, chosen by settings."""
