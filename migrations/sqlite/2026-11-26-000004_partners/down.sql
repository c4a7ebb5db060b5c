DROP TABLE seen_signatures;
ALTER TABLE invoices DROP COLUMN benefit;
DROP INDEX applications_partner_day;
DROP INDEX applications_partner;
ALTER TABLE applications DROP COLUMN benefit;
ALTER TABLE applications DROP COLUMN registered_partner;
