DROP TRIGGER approvals_stay ON fintech_core_approvalrequest;
DROP TRIGGER approval_keeps_its_terms ON fintech_core_approvalrequest;
DROP FUNCTION approval_refuse_removal();
DROP FUNCTION approval_check_change();
