-- What was asked for stays as it was asked and is decided once; a request does not go away. Whoever could change who
-- asked would decide alone.

CREATE FUNCTION approval_check_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'pending'
       OR (OLD.id, OLD.kind, OLD.amount, OLD.currency, OLD.reason, OLD.requested_by_id, OLD.requested_at)
          IS DISTINCT FROM
          (NEW.id, NEW.kind, NEW.amount, NEW.currency, NEW.reason, NEW.requested_by_id, NEW.requested_at) THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'approval_keeps_its_terms',
            MESSAGE = 'approval_keeps_its_terms: request ' || OLD.id;
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION approval_refuse_removal() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'approvals_stay',
        MESSAGE = 'approvals_stay: ' || TG_OP;
END
$$;

CREATE TRIGGER approval_keeps_its_terms BEFORE UPDATE ON fintech_core_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION approval_check_change();
ALTER TABLE fintech_core_approvalrequest ENABLE ALWAYS TRIGGER approval_keeps_its_terms;

CREATE TRIGGER approvals_stay BEFORE DELETE OR TRUNCATE ON fintech_core_approvalrequest
    FOR EACH STATEMENT EXECUTE FUNCTION approval_refuse_removal();
ALTER TABLE fintech_core_approvalrequest ENABLE ALWAYS TRIGGER approvals_stay;
