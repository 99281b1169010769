"""Abuse of the API, by OWASP API category; the ids in the names of the tests are those of ``tests/CASES.md``."""
