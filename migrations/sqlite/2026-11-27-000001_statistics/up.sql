-- What happened in a period: the figures of days, regions and channels ask by time, of events, applications and revocations.
CREATE INDEX application_events_at ON application_events (at);
CREATE INDEX applications_created ON applications (created_at);
CREATE INDEX certificates_revoked ON certificates (status_since) WHERE status = 'revoked';
