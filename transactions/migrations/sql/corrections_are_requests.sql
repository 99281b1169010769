-- Who asked for a correction, who decided and what came of it move to the table of all such requests, under its id.
-- Dropping a foreign key locks the table that it names: who cannot have that soon gives way to the service.
SET LOCAL lock_timeout = '5s';

INSERT INTO fintech_core_approvalrequest (id, kind, amount, currency, reason, status, requested_by_id, requested_at,
                                          decided_by_id, decided_at, result_id)
SELECT id, 'adjustment', amount, currency, reason,
       CASE status WHEN 'requested' THEN 'pending' WHEN 'booked' THEN 'approved' ELSE status END,
       requested_by_id, requested_at, decided_by_id, decided_at, transaction_id
FROM transactions_adjustment;

-- A table whose foreign keys wait to be checked cannot be altered.
SET CONSTRAINTS ALL IMMEDIATE;
DROP INDEX adjustment_open;
ALTER TABLE transactions_adjustment
    DROP CONSTRAINT adjustment_amount_is_positive,
    DROP CONSTRAINT adjustment_needs_two_people,
    DROP CONSTRAINT adjustment_is_booked_with_its_transaction;
ALTER TABLE transactions_adjustment
    DROP COLUMN amount,
    DROP COLUMN currency,
    DROP COLUMN reason,
    DROP COLUMN status,
    DROP COLUMN requested_by_id,
    DROP COLUMN requested_at,
    DROP COLUMN decided_by_id,
    DROP COLUMN decided_at,
    DROP COLUMN transaction_id;
ALTER TABLE transactions_adjustment RENAME COLUMN id TO request_id;
ALTER TABLE transactions_adjustment
    ADD CONSTRAINT adjustment_is_a_request FOREIGN KEY (request_id)
    REFERENCES fintech_core_approvalrequest (id) DEFERRABLE INITIALLY DEFERRED;
SET CONSTRAINTS ALL DEFERRED;
