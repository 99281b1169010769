-- The two roles and the database. Run it as a superuser, as often as you like:
--
--     psql -d postgres -f fintech_core/embedded/roles.sql
--
-- On a server of your own give both roles a password afterwards: \password fintech_owner, \password fintech_app.
-- The owner owns every table and runs the migrations (DATABASE_OWNER_URL); the application (DATABASE_URL) owns
-- nothing and has what the migrations grant it. Time-outs belong to the role, so they hold behind a pooler, too.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'fintech_owner') THEN
        CREATE ROLE fintech_owner;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'fintech_app') THEN
        CREATE ROLE fintech_app;
    END IF;
END
$$;

-- CREATEDB is for the test suite, which makes and drops databases; take it away in production.
ALTER ROLE fintech_owner LOGIN CREATEDB NOSUPERUSER NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE fintech_app LOGIN NOCREATEDB NOSUPERUSER NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE fintech_app SET statement_timeout = '10s';
ALTER ROLE fintech_app SET lock_timeout = '5s';
ALTER ROLE fintech_app SET idle_in_transaction_session_timeout = '15s';

SELECT 'GRANT fintech_app TO fintech_owner'
 WHERE NOT pg_has_role('fintech_owner', 'fintech_app', 'MEMBER')
\gexec

SELECT 'CREATE DATABASE fintech OWNER fintech_owner'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'fintech')
\gexec
