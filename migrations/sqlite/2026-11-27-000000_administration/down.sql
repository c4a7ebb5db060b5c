DROP TABLE acts;
DROP TABLE recovery_codes;
