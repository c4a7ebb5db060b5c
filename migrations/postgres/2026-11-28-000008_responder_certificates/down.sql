DROP VIEW responder_certificates;
