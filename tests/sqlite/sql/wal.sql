-- A write-ahead log, checkpoints of every kind, and the way back.
PRAGMA journal_mode=WAL;
PRAGMA wal_autocheckpoint=50;
CREATE TABLE log(id INTEGER PRIMARY KEY, at INTEGER, what TEXT);
CREATE INDEX log_at ON log(at);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) INSERT INTO log SELECT i, i * 31 % 1009, printf('%0200d', i) FROM n;
UPDATE log SET at = at + 1 WHERE id % 2;
PRAGMA wal_checkpoint(PASSIVE);
DELETE FROM log WHERE id BETWEEN 500 AND 900;
BEGIN; UPDATE log SET what = 'never seen'; SELECT count(*) FROM log WHERE what = 'never seen'; ROLLBACK;
SELECT count(*) FROM log WHERE what = 'never seen';
PRAGMA wal_checkpoint(TRUNCATE);
SELECT at, count(*) FROM log GROUP BY at ORDER BY 2 DESC, 1 LIMIT 10;
PRAGMA journal_mode=DELETE;
INSERT INTO log SELECT id + 100000, at, what FROM log WHERE id < 100;
SELECT count(*), sum(id), sum(at), sum(length(what)) FROM log;
PRAGMA integrity_check;
