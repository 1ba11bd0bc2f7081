-- Boxes in two and three dimensions.
CREATE VIRTUAL TABLE box USING rtree(id, x0, x1, y0, y1);
CREATE VIRTUAL TABLE cube USING rtree_i32(id, x0, x1, y0, y1, z0, z1, +label);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
INSERT INTO box SELECT i, i * 7919 % 10007, i * 7919 % 10007 + i % 50, i * 104729 % 9973, i * 104729 % 9973 + i % 31 FROM n;
INSERT INTO cube SELECT id, x0, x1, y0, y1, id % 100, id % 100 + 5, 'cube ' || id FROM box WHERE id % 2;
COMMIT;
SELECT id FROM box WHERE x0 >= 1000 AND x1 <= 1500 AND y0 >= 2000 AND y1 <= 4000 ORDER BY id;
SELECT count(*), sum(id) FROM cube WHERE z0 <= 20 AND z1 >= 18 AND x1 < 5000;
UPDATE box SET x0 = x0 + 100, x1 = x1 + 100 WHERE id % 5 = 0;
DELETE FROM box WHERE id % 4 = 1;
DELETE FROM cube WHERE label LIKE '%7';
SELECT count(*), sum(id), sum(x1 - x0) FROM box WHERE y0 > 5000;
SELECT a.id, b.id FROM box a, box b WHERE a.id < 200 AND b.x0 <= a.x1 AND b.x1 >= a.x0 AND b.y0 <= a.y1 AND b.y1 >= a.y0 AND b.id > a.id ORDER BY 1, 2;
SELECT rtreecheck('box'), rtreecheck('cube');
PRAGMA integrity_check;
