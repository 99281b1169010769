DROP TRIGGER audit_is_append_only ON fintech_core_auditrecord;
DROP FUNCTION audit_refuse_change();
