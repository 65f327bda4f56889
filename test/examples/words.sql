-- What the three workers beside this file do: count the words of text/NAME, a file, as words/NAME, a row.
-- Somebody else writes the files, and publishes them when they are there.

CREATE EXTENSION databuild;
CREATE TABLE words (name text PRIMARY KEY, words int NOT NULL CHECK (words > 0));
SELECT databuild.define_source('text', ARRAY['text/.*']);
SELECT databuild.define_job('words', ARRAY['words/.*'], max_attempts => 1);

SELECT databuild.grant_worker('counter', jobs => ARRAY['words']);
GRANT SELECT, INSERT, UPDATE ON words TO counter;
