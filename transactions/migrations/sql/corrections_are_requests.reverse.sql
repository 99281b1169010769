-- Requests of the other kinds, whose table is gone by now, are gone with it.
SET LOCAL lock_timeout = '5s';
ALTER TABLE transactions_adjustment
    DROP CONSTRAINT adjustment_is_a_request;
ALTER TABLE transactions_adjustment RENAME COLUMN request_id TO id;
ALTER TABLE transactions_adjustment
    ADD COLUMN amount numeric(19, 4),
    ADD COLUMN currency varchar(3),
    ADD COLUMN reason varchar(500),
    ADD COLUMN status varchar(10),
    ADD COLUMN requested_by_id uuid,
    ADD COLUMN requested_at timestamptz,
    ADD COLUMN decided_by_id uuid,
    ADD COLUMN decided_at timestamptz,
    ADD COLUMN transaction_id uuid UNIQUE;

UPDATE transactions_adjustment a
SET amount = r.amount, currency = r.currency, reason = r.reason,
    status = CASE r.status WHEN 'pending' THEN 'requested' WHEN 'approved' THEN 'booked' ELSE r.status END,
    requested_by_id = r.requested_by_id, requested_at = r.requested_at, decided_by_id = r.decided_by_id,
    decided_at = r.decided_at, transaction_id = r.result_id
FROM fintech_core_approvalrequest r
WHERE r.id = a.id;
ALTER TABLE fintech_core_approvalrequest DISABLE TRIGGER approvals_stay;
DELETE FROM fintech_core_approvalrequest;
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE fintech_core_approvalrequest ENABLE ALWAYS TRIGGER approvals_stay;

ALTER TABLE transactions_adjustment
    ALTER COLUMN amount SET NOT NULL,
    ALTER COLUMN currency SET NOT NULL,
    ALTER COLUMN reason SET NOT NULL,
    ALTER COLUMN status SET NOT NULL,
    ALTER COLUMN requested_by_id SET NOT NULL,
    ALTER COLUMN requested_at SET NOT NULL,
    ADD CONSTRAINT adjustment_requested_by FOREIGN KEY (requested_by_id)
        REFERENCES users_user (id) DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT adjustment_decided_by FOREIGN KEY (decided_by_id)
        REFERENCES users_user (id) DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT adjustment_transaction FOREIGN KEY (transaction_id)
        REFERENCES transactions_transaction (id) DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT adjustment_amount_is_positive CHECK (amount > 0),
    ADD CONSTRAINT adjustment_needs_two_people CHECK (decided_by_id IS NULL OR decided_by_id <> requested_by_id),
    ADD CONSTRAINT adjustment_is_booked_with_its_transaction CHECK (
        (status = 'requested' AND decided_by_id IS NULL AND decided_at IS NULL AND transaction_id IS NULL)
        OR (status = 'rejected' AND decided_by_id IS NOT NULL AND decided_at IS NOT NULL AND transaction_id IS NULL)
        OR (status = 'booked' AND decided_by_id IS NOT NULL AND decided_at IS NOT NULL
            AND transaction_id IS NOT NULL));
CREATE INDEX adjustment_open ON transactions_adjustment (requested_at) WHERE status = 'requested';
CREATE INDEX adjustment_by_requester ON transactions_adjustment (requested_by_id);
CREATE INDEX adjustment_by_decider ON transactions_adjustment (decided_by_id);
SET CONSTRAINTS ALL DEFERRED;
