-- Overflow chains: values far larger than a page and than the cache.
CREATE TABLE big(id INTEGER PRIMARY KEY, body BLOB, tail TEXT);
INSERT INTO big VALUES(1, zeroblob(1000000), 'one'), (2, CAST(printf('%.*c', 300000, 'x') AS BLOB), 'two'), (3, x'00', 'three');
WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 60) INSERT INTO big SELECT i, CAST(printf('%.*c%d', i * 1999, char(65 + i % 26), i) AS BLOB), 'row ' || i FROM n;
SELECT id, length(body), substr(body, -3), tail FROM big ORDER BY id;
UPDATE big SET body = body || body WHERE id % 5 = 0;
UPDATE big SET tail = tail || '!' WHERE id % 2;
SELECT sum(length(body)), sum(instr(body, 'ZZZ')), max(hex(substr(body, length(body) / 2, 8))) FROM big;
DELETE FROM big WHERE id % 4 = 2;
INSERT INTO big SELECT id + 1000, substr(body, 1000), upper(tail) FROM big WHERE length(body) > 1000;
SELECT id, length(body), tail FROM big ORDER BY length(body), id;
CREATE TABLE wide AS SELECT b.id * 10 + n.i AS id, substr(b.body, n.i * 100 + 1, 5000) AS part FROM big b, (SELECT 1 AS i UNION SELECT 2 UNION SELECT 3) n;
CREATE INDEX wide_part ON wide(part);
SELECT count(*), count(DISTINCT part) FROM wide;
PRAGMA integrity_check;
