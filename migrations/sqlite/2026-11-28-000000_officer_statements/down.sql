DROP TABLE alarms;
DROP TABLE officer_statements;
DROP TABLE officer_certificates;
