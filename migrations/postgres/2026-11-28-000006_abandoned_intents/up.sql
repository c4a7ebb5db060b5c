-- What was not signed names nobody any more.
UPDATE intents SET tbs = ''::bytea WHERE state = 'abandoned';
