DROP INDEX certificates_ocsp_signers;
DROP INDEX certificates_status_since;
