"""The database engine of the project: Django's PostgreSQL, see ``base.py``."""
