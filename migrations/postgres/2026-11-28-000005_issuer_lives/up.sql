-- An issuing CA with a successor issues no more, and answers for its certificates until the last of them has ended. Then its key is
-- destroyed, and nothing is signed with it any more.
ALTER TABLE issuers ADD COLUMN retired_at BIGINT;
ALTER TABLE issuers ADD COLUMN key_destroyed_at BIGINT;
