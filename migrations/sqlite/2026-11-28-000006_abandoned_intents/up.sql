-- What was not signed names nobody any more.
UPDATE intents SET tbs = x'' WHERE state = 'abandoned';
