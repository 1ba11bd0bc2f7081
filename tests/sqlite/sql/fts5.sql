-- Full-text search: segments, merges, deletes, phrase and prefix queries, snippets.
CREATE VIRTUAL TABLE doc USING fts5(title, body, prefix='2 3', tokenize='porter unicode61');
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
INSERT INTO doc(rowid, title, body) SELECT i, printf('letter %d of box %d', i, i % 41),
    printf('word%d word%d runs after item%d while page %x is pinned and block %d was recycled by thread %d', i % 97, i % 89, i % 1009, i * 40503 % 65536, i / 3, i % 5)
FROM n;
COMMIT;
SELECT rowid FROM doc WHERE doc MATCH 'word13 AND word31' ORDER BY rowid;
SELECT count(*) FROM doc WHERE doc MATCH 'recycle*';
SELECT rowid, snippet(doc, 1, '[', ']', '...', 6) FROM doc WHERE doc MATCH '"page" NEAR(item7 thread)' ORDER BY rank, rowid LIMIT 20;
UPDATE doc SET body = body || ' changed later' WHERE rowid % 11 = 0;
DELETE FROM doc WHERE rowid % 13 = 0;
SELECT count(*) FROM doc WHERE doc MATCH 'changed later';
INSERT INTO doc(doc) VALUES('optimize');
SELECT rowid, title FROM doc WHERE doc MATCH 'box 40' ORDER BY bm25(doc), rowid LIMIT 20;
INSERT INTO doc(doc) VALUES('integrity-check');
CREATE VIRTUAL TABLE old USING fts4(body);
INSERT INTO old SELECT body FROM doc WHERE rowid <= 500;
SELECT docid, offsets(old), snippet(old) FROM old WHERE old MATCH 'pinned' LIMIT 30;
PRAGMA integrity_check;
