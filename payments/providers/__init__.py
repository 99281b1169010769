"""Gateways: one interface, one module per vendor, chosen by settings."""
