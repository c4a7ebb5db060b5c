DROP INDEX certificates_revoked;
DROP INDEX applications_created;
DROP INDEX application_events_at;
