-- What two people have decided is named by the movement that it made, for good: its request cannot be forgotten.
DO $$
BEGIN
    IF EXISTS (SELECT FROM fintech_core_approvalrequest WHERE status = 'approved' AND kind <> 'adjustment') THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'approvals_stay',
            MESSAGE = 'approvals_stay: there are reversals or refunds that two people have decided';
    END IF;
END
$$;

DROP TRIGGER ledger_undoings_keep_their_terms ON transactions_undoing;
DROP TRIGGER ledger_corrections_keep_their_terms ON transactions_adjustment;
