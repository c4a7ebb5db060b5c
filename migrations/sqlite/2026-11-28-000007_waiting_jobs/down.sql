ALTER TABLE jobs DROP COLUMN waiting_since;
