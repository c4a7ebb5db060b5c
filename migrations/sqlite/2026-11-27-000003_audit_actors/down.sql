DROP INDEX audit_entries_actor;
