DROP TRIGGER audit_entries_no_update;
DROP TRIGGER audit_entries_no_delete;
DROP TABLE audit_heads;
DROP TABLE audit_leaves;
