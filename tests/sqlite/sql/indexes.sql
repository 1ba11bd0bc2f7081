-- Tables with several indexes, changed in every way, read in every order.
CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT NOT NULL, town INTEGER, born INTEGER, note TEXT);
CREATE UNIQUE INDEX person_name ON person(name);
CREATE INDEX person_town_born ON person(town, born DESC);
CREATE INDEX person_young ON person(born) WHERE born > 1990;
CREATE INDEX person_length ON person(length(note));
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)
INSERT INTO person SELECT i, printf('name-%08x', i * 2654435761 % 4294967296), i * 7919 % 113, 1930 + i * 31 % 90,
    substr('the quick brown fox jumps over the lazy dog and back again', 1, i * 17 % 58) FROM n;
COMMIT;
SELECT town, count(*), min(born), max(born), sum(length(note)) FROM person GROUP BY town ORDER BY 2 DESC, 1 LIMIT 20;
SELECT id, name FROM person WHERE born > 2010 AND town = 17 ORDER BY born DESC, id;
UPDATE person SET town = (town + 1) % 113, note = note || ' moved' WHERE id % 3 = 0;
DELETE FROM person WHERE id % 7 = 5;
SELECT count(*), sum(id), sum(length(note)) FROM person INDEXED BY person_town_born WHERE town BETWEEN 5 AND 60;
SELECT a.id, b.id FROM person a JOIN person b ON b.town = a.town AND b.born = a.born AND b.id > a.id WHERE a.id < 400 ORDER BY 1, 2 LIMIT 50;
CREATE TABLE pair(a INTEGER, b INTEGER, body TEXT, PRIMARY KEY(a, b)) WITHOUT ROWID;
INSERT INTO pair SELECT town, id, note FROM person;
INSERT OR REPLACE INTO pair SELECT (town + 50) % 113, id, name FROM person WHERE id % 2;
INSERT OR IGNORE INTO person SELECT id + 10000, name, town, born, note FROM person;
SELECT count(*), sum(a * b % 1000), sum(length(body)) FROM pair;
REINDEX;
DROP INDEX person_town_born;
ANALYZE;
SELECT tbl, idx, stat FROM sqlite_stat1 ORDER BY 1, 2;
SELECT group_concat(name, ',') FROM (SELECT name FROM person ORDER BY name LIMIT 40 OFFSET 1000);
PRAGMA integrity_check;
