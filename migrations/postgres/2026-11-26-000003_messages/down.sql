DROP INDEX certificates_ending;
DROP TABLE reminder_sweeps;
DROP TABLE mail_opt_outs;
DROP TABLE deliveries;
