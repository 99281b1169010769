-- The audit log is append-only for everybody.
CREATE FUNCTION audit_refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'audit_is_append_only',
        MESSAGE = 'audit_is_append_only: ' || TG_OP;
END
$$;

CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON fintech_core_auditrecord
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
ALTER TABLE fintech_core_auditrecord ENABLE ALWAYS TRIGGER audit_is_append_only;
