-- Once, as an administrator of the server: a role for the owner of the tables, and one for each process. Give each a password, or let
-- pg_hba.conf know them by certificate.
CREATE ROLE muhr_api LOGIN;
CREATE ROLE muhr_signer LOGIN;
CREATE ROLE muhr_ocsp LOGIN;
CREATE ROLE muhr_crl LOGIN;
