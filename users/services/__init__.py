"""Writes of this app, one module for each thing a person does: accounts, sessions, pins, kyc."""
