-- SPDX-License-Identifier: MIT
--
-- The writing half of "holdfast run", on the database that build.sql made and after queries.sql read it. A line that begins with
-- --# starts a step and is its title; each step ends with a question about what it wrote. Nothing here depends on the clock or
-- on chance. Small transactions are SQL text that a query writes into a file and ".read" runs.

--# a write-ahead log and a history, kept by triggers
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE history(id INTEGER PRIMARY KEY, package INTEGER NOT NULL, was TEXT, is_now TEXT, summary TEXT);
CREATE INDEX history_package ON history(package, id);
CREATE TRIGGER package_changed AFTER UPDATE OF version, summary ON package BEGIN
    INSERT INTO history(package, was, is_now, summary) VALUES(new.id, old.version, new.version, new.summary);
    UPDATE words SET summary = new.summary WHERE rowid = new.id;
END;
CREATE TRIGGER package_gone AFTER DELETE ON package BEGIN
    DELETE FROM relation WHERE package = old.id;
    DELETE FROM tag WHERE package = old.id;
    DELETE FROM edge WHERE package = old.id;
    DELETE FROM sizes WHERE id = old.id;
    DELETE FROM words WHERE rowid = old.id;
    DELETE FROM pieces WHERE rowid = old.id;
    INSERT INTO history(package, was, summary) VALUES(old.id, old.version, old.summary);
END;
SELECT type, name, tbl_name FROM sqlite_schema ORDER BY 1, 2;

--# 3,000 transactions (at most one a package), each a new version of one package
.once transactions.sql
SELECT printf('BEGIN; UPDATE package SET version = version || ''+hold%d'', bytes = bytes + %d, ' ||
              'summary = summary || '' (held fast)'' WHERE id = %d; COMMIT;',
              value, value % 997, (value * 7919) % (SELECT max(id) FROM package) + 1)
FROM (
    WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < min(3000, (SELECT count(*) FROM package)))
    SELECT value FROM n
);
.read transactions.sql
SELECT count(*), min(package), max(package), sum(length(is_now)) FROM history;

--# full text of what was just written
SELECT count(*), sum(rowid) FROM words WHERE words MATCH 'summary : "held fast"';

--# one transaction over a third of all packages
BEGIN;
UPDATE package SET installed_kib = installed_kib + 1, multi_arch = coalesce(multi_arch, 'no') WHERE id % 3 = 0;
UPDATE relation SET version = version || '~' WHERE package % 9 = 0 AND version IS NOT NULL;
COMMIT;
SELECT sum(installed_kib), count(multi_arch), (SELECT count(*) FROM relation WHERE version GLOB '*~') FROM package;

--# a new section: 6,000 packages with relations, tags, text and points
BEGIN;
CREATE TEMP TABLE fresh AS
    SELECT id AS old, (SELECT max(id) FROM package) + row_number() OVER (ORDER BY id) AS id FROM package WHERE id % 7 = 0
    ORDER BY id LIMIT 6000;
INSERT INTO package
    SELECT fresh.id, 'held-' || name, version, architecture, source, 'held', priority, maintainer, homepage, installed_kib, bytes,
           0, multi_arch, 'pool/held/' || filename, md5, sha256, summary
    FROM fresh JOIN package AS p ON p.id = fresh.old ORDER BY fresh.id;
INSERT INTO relation
    SELECT fresh.id, kind, position, alternative, target, operator, r.version
    FROM fresh JOIN relation AS r ON r.package = fresh.old ORDER BY 1, 2, 3, 4;
INSERT INTO tag SELECT fresh.id, facet, value FROM fresh JOIN tag ON tag.package = fresh.old ORDER BY 1, 2, 3;
INSERT INTO edge SELECT fresh.id, target FROM fresh JOIN edge ON edge.package = fresh.old ORDER BY 1, 2;
INSERT INTO words(rowid, name, summary) SELECT p.id, p.name, p.summary FROM fresh JOIN package AS p USING(id) ORDER BY p.id;
INSERT INTO pieces(rowid, place, homepage, summary)
    SELECT p.id, p.filename, p.homepage, p.summary FROM fresh JOIN package AS p USING(id) ORDER BY p.id;
INSERT INTO sizes SELECT p.id, p.installed_kib, p.installed_kib, 0, 0 FROM fresh JOIN package AS p USING(id) ORDER BY p.id;
COMMIT;
DROP TABLE temp.fresh;
SELECT (SELECT count(*) FROM package), (SELECT count(*) FROM relation), (SELECT count(*) FROM tag), (SELECT count(*) FROM edge),
       (SELECT count(*) FROM sizes), (SELECT count(*) FROM words WHERE words MATCH 'name : held');

--# 1,500 packages leave, one transaction each, with all that hangs on them
.once transactions.sql
SELECT printf('DELETE FROM package WHERE id = %d;', id) FROM package WHERE id % 43 = 5 ORDER BY id LIMIT 1500;
.read transactions.sql
SELECT (SELECT count(*) FROM package), (SELECT count(*) FROM relation), (SELECT count(*) FROM history),
       (SELECT count(*) FROM words);

--# an inner transaction rolled back, and a large one: all relations changed, and never mind
BEGIN;
SAVEPOINT inner_one; -- small: while it rolls back to a savepoint, SQLite holds every page of it in memory, whatever the limit
DELETE FROM relation WHERE package BETWEEN 20000 AND 24000;
UPDATE package SET summary = upper(summary) WHERE id BETWEEN 30000 AND 31000;
ROLLBACK TO inner_one;
INSERT INTO history(package, summary) SELECT id, summary FROM package WHERE section = 'games' ORDER BY id;
RELEASE inner_one;
COMMIT;
BEGIN;
DELETE FROM package WHERE id % 5 = 0 AND id < 5000;
UPDATE relation SET target = target || '-gone';
ROLLBACK;
SELECT (SELECT count(*) FROM package), (SELECT count(*) FROM relation WHERE target GLOB '*-gone'), (SELECT count(*) FROM history);

--# large values: one row per section with the text of all of it
CREATE TABLE page(section TEXT PRIMARY KEY, body TEXT NOT NULL, hexed BLOB);
INSERT INTO page(section, body)
    SELECT section, group_concat(name || ' ' || version || ' ' || coalesce(filename, '') || ' ' || summary, char(10))
    FROM (SELECT * FROM package ORDER BY section, id) GROUP BY section ORDER BY section;
UPDATE page SET hexed = CAST(hex(body) AS BLOB);
DELETE FROM page WHERE length(body) % 2 = 0;
SELECT section, length(body), length(hexed), substr(hexed, -20) FROM page ORDER BY section;

--# new indexes
CREATE INDEX relation_version ON relation(version, target) WHERE version IS NOT NULL;
CREATE INDEX package_summary ON package(lower(summary), name);
CREATE UNIQUE INDEX package_all ON package(name, version, architecture, id);
SELECT count(*), min(version), max(version) FROM relation WHERE version > '5' AND target > 'm';

--# a new column, filled, and another one dropped
ALTER TABLE package ADD COLUMN needs INTEGER NOT NULL DEFAULT 0;
UPDATE package SET needs = (SELECT count(*) FROM edge WHERE edge.package = package.id);
ALTER TABLE package DROP COLUMN md5;
SELECT needs, count(*) FROM package GROUP BY needs ORDER BY needs;

--# upserts: how often each name is the target of each kind
CREATE TABLE tally(target TEXT, kind TEXT, many INTEGER, PRIMARY KEY(target, kind)) WITHOUT ROWID;
INSERT INTO tally SELECT target, kind, 1 FROM relation WHERE true ORDER BY package, kind, position, alternative
    ON CONFLICT DO UPDATE SET many = many + 1;
SELECT kind, count(*), sum(many), max(many) FROM tally GROUP BY kind ORDER BY kind;

--# full text merged into one piece (FTS5 optimize)
INSERT INTO words(words) VALUES('optimize');
INSERT INTO pieces(pieces) VALUES('optimize');
SELECT (SELECT count(*) FROM words WHERE words MATCH 'lib*'), (SELECT count(*) FROM pieces WHERE pieces MATCH '"held"');

--# indexes built anew
REINDEX relation;
DROP INDEX package_summary;
SELECT count(*) FROM sqlite_schema WHERE type = 'index';

--# VACUUM
PRAGMA wal_checkpoint(TRUNCATE);
VACUUM;
PRAGMA wal_checkpoint(TRUNCATE);
PRAGMA page_count;
PRAGMA freelist_count;

--# the database's own checks
PRAGMA integrity_check;
PRAGMA foreign_key_check(relation);
INSERT INTO words(words) VALUES('integrity-check');
SELECT rtreecheck('sizes');
