DROP TRIGGER audit_entries_append_only ON audit_entries;
DROP TABLE audit_heads;
DROP TABLE audit_leaves;
DROP FUNCTION audit_is_append_only();
