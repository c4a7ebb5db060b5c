-- Since when a job is due whose key or token is away: every look at it moves run_at.
ALTER TABLE jobs ADD COLUMN waiting_since BIGINT;
