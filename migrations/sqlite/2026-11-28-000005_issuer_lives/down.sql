ALTER TABLE issuers DROP COLUMN key_destroyed_at;
ALTER TABLE issuers DROP COLUMN retired_at;
