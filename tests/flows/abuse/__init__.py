"""Abuse of the API, by OWASP API category; the case ids stand in the names of the tests."""
