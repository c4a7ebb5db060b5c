-- What somebody did, newest first.
CREATE INDEX audit_entries_actor ON audit_entries (actor, id);
