-- SPDX-License-Identifier: MIT
--
-- The questions of "holdfast run": a line that begins with --# starts one and is its title. Each has one answer whatever the
-- plan (every order is total), so that two runs can be compared byte by byte. They read all of the database, by index and by
-- scan, and sort, group and join more than a small page cache holds.

--# packages, bytes and installed size by section
SELECT section, count(*), sum(bytes), sum(installed_kib), max(bytes) FROM package GROUP BY section ORDER BY 3 DESC, 1;

--# the 40 names that most packages depend on
SELECT target, count(DISTINCT package) AS needed_by FROM relation WHERE kind IN ('Depends', 'Pre-Depends')
GROUP BY target ORDER BY needed_by DESC, target LIMIT 40;

--# the 40 busiest maintainers, and the share of all packages that they look after
SELECT m.name, m.email, count(*) AS packages, round(100.0 * count(*) / (SELECT count(*) FROM package), 3) AS percent
FROM package AS p JOIN maintainer AS m ON m.id = p.maintainer GROUP BY m.id ORDER BY packages DESC, m.name, m.email LIMIT 40;

--# everything that one compiler pulls in (recursive)
WITH RECURSIVE pulled(id, depth) AS (
    SELECT id, 0 FROM package WHERE name IN ('gcc', 'g++')
    UNION
    SELECT edge.target, depth + 1 FROM pulled JOIN edge ON edge.package = pulled.id WHERE depth < 12
)
SELECT p.name, p.version, min(depth), p.installed_kib FROM pulled JOIN package AS p USING(id) GROUP BY p.id ORDER BY 3, 1, 2;

--# how many packages stand on the shoulders of each of the 40 most needed (recursive)
WITH RECURSIVE
    needed(id) AS (SELECT target FROM edge GROUP BY target ORDER BY count(*) DESC, target LIMIT 40),
    stands(root, id) AS (
        SELECT id, id FROM needed
        UNION
        SELECT root, edge.package FROM stands JOIN edge ON edge.target = stands.id
    )
SELECT p.name, p.version, count(*) - 1 FROM stands JOIN package AS p ON p.id = stands.root GROUP BY root ORDER BY 3 DESC, 1, 2;

--# the size of everything that each of 400 large applications needs (recursive)
WITH RECURSIVE
    application(id) AS (
        SELECT id FROM package WHERE section IN ('science', 'graphics', 'video', 'sound', 'gnome', 'kde', 'net', 'editors')
        ORDER BY bytes DESC, id LIMIT 400
    ),
    needs(root, id) AS (
        SELECT id, id FROM application
        UNION
        SELECT root, edge.target FROM needs JOIN edge ON edge.package = needs.id
    )
SELECT root.name, root.version, count(*), sum(p.installed_kib)
FROM needs JOIN package AS p ON p.id = needs.id JOIN package AS root ON root.id = needs.root
GROUP BY needs.root ORDER BY 4 DESC, 1, 2;

--# pairs of packages that depend on each other
SELECT a.name, b.name FROM edge AS there JOIN edge AS back ON back.package = there.target AND back.target = there.package
JOIN package AS a ON a.id = there.package JOIN package AS b ON b.id = there.target
WHERE a.id < b.id ORDER BY 1, 2, a.id, b.id;

--# dependencies that nothing fulfils
SELECT r.target, count(*), min(p.name), max(p.name) FROM relation AS r JOIN package AS p ON p.id = r.package
WHERE r.kind = 'Depends' AND r.alternative = 1
  AND NOT EXISTS (SELECT 1 FROM package AS q WHERE q.name = r.target)
  AND NOT EXISTS (SELECT 1 FROM relation AS v WHERE v.target = r.target AND v.kind = 'Provides')
GROUP BY r.target ORDER BY 2 DESC, 1 LIMIT 200;

--# virtual packages and who provides them
SELECT r.target, count(*), group_concat(name, ' ') FROM (
    SELECT r.target, p.name FROM relation AS r JOIN package AS p ON p.id = r.package
    WHERE r.kind = 'Provides' AND NOT EXISTS (SELECT 1 FROM package AS q WHERE q.name = r.target) ORDER BY r.target, p.name, p.id
) AS r GROUP BY r.target HAVING count(*) >= 5 ORDER BY 2 DESC, 1;

--# libraries that nothing needs any more
SELECT p.name, p.version, p.installed_kib FROM package AS p
WHERE p.section = 'libs' AND NOT EXISTS (SELECT 1 FROM edge WHERE edge.target = p.id)
  AND NOT EXISTS (SELECT 1 FROM relation AS r WHERE r.target = p.name)
ORDER BY p.installed_kib DESC, p.name, p.version LIMIT 200;

--# source packages by the number of binaries that they build
SELECT source, count(*) AS binaries, sum(bytes), sum(installed_kib), count(DISTINCT section) FROM package
GROUP BY source HAVING binaries > 1 ORDER BY binaries DESC, source LIMIT 300;

--# the three largest packages of every section (window)
SELECT section, place, name, version, bytes FROM (
    SELECT section, name, version, bytes, id, row_number() OVER (PARTITION BY section ORDER BY bytes DESC, id) AS place FROM package
) WHERE place <= 3 ORDER BY section, place;

--# where each package stands among those of its maintainer (window over all rows)
SELECT count(*), sum(standing), round(sum(share), 6), max(running) FROM (
    SELECT rank() OVER mine AS standing, percent_rank() OVER mine AS share,
           sum(coalesce(installed_kib, 0)) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) AS running
    FROM package WINDOW mine AS (PARTITION BY maintainer ORDER BY bytes DESC, id)
);

--# the distance between neighbours in the alphabet (lag and lead)
SELECT substr(name, 1, 1) AS letter, count(*), sum(abs(coalesce(bytes, 0) - coalesce(before, 0))),
       max(coalesce(after, 0) - coalesce(bytes, 0))
FROM (SELECT name, bytes, lag(bytes) OVER w AS before, lead(bytes) OVER w AS after FROM package WINDOW w AS (ORDER BY name, id))
GROUP BY letter ORDER BY letter;

--# tags that go together
SELECT a.facet || '::' || a.value, b.facet || '::' || b.value, count(*) AS together
FROM tag AS a JOIN tag AS b ON b.package = a.package AND (a.facet, a.value) < (b.facet, b.value)
WHERE a.facet IN ('implemented-in', 'interface') GROUP BY 1, 2 HAVING together >= 20 ORDER BY together DESC, 1, 2 LIMIT 200;

--# full text: a database server (FTS5, ranked)
SELECT name, snippet(words, 1, '[', ']', '...', 8), round(rank, 4) FROM words WHERE words MATCH 'database AND server'
ORDER BY rank, rowid LIMIT 100;

--# full text: names by prefix (FTS5)
SELECT count(*), min(rowid), max(rowid), sum(rowid) FROM words WHERE words MATCH 'name : lib* NOT (name : dev OR needs : python3)';

--# full text: words near each other (FTS5)
SELECT name, highlight(words, 1, '<', '>') FROM words WHERE words MATCH 'summary : NEAR(command line, 3)' ORDER BY rowid LIMIT 300;

--# full text joined with the graph: what image viewers need
SELECT q.name, count(DISTINCT w.rowid) AS viewers FROM words AS w
JOIN edge ON edge.package = w.rowid JOIN package AS q ON q.id = edge.target
WHERE w.words MATCH 'summary : (image OR picture OR photo) AND tags : viewing' GROUP BY q.id
ORDER BY viewers DESC, q.name, q.id LIMIT 60;

--# any piece of text: hosts of home pages (trigrams)
SELECT p.section, count(*) FROM pieces JOIN package AS p ON p.id = pieces.rowid
WHERE pieces MATCH 'homepage : "github.com"' GROUP BY p.section ORDER BY 2 DESC, 1;

--# any piece of text: LIKE by way of the trigrams
SELECT rowid, place FROM pieces WHERE place LIKE '%python3-%test%' ORDER BY rowid LIMIT 400;

--# small packages with many dependencies (R-Tree)
SELECT p.name, p.version, s.least_kib, s.least_needs FROM sizes AS s JOIN package AS p USING(id)
WHERE s.most_kib <= 64 AND s.least_needs >= 12 ORDER BY s.least_needs DESC, p.name, p.id;

--# how the sizes are spread (R-Tree, one window of it per row)
WITH RECURSIVE step(low, high) AS (SELECT 0, 15 UNION ALL SELECT high + 1, high * 2 + 1 FROM step WHERE high < 4000000)
SELECT low, high, (SELECT count(*) FROM sizes WHERE least_kib >= low AND most_kib <= high),
       (SELECT max(most_needs) FROM sizes WHERE least_kib >= low AND most_kib <= high)
FROM step ORDER BY low;

--# version constraints, by operator and kind
SELECT kind, coalesce(operator, 'any') AS constrained, count(*), count(DISTINCT target), count(DISTINCT version) FROM relation
GROUP BY kind, constrained ORDER BY kind, constrained;

--# a checksum of every relation, in the order of its target
SELECT count(*), sum(n * (length(target) + length(coalesce(version, '')))) % 1000000007 FROM (
    SELECT target, version, row_number() OVER (ORDER BY target, kind, package, position, alternative) % 9973 AS n FROM relation
);

--# what changes hands most: the graph by section
SELECT a.section, b.section, count(*) AS edges
FROM edge JOIN package AS a ON a.id = edge.package JOIN package AS b ON b.id = edge.target
GROUP BY 1, 2 HAVING edges > 50 ORDER BY edges DESC, 1, 2;

--# a scan of every summary, home page and file name with LIKE
SELECT count(*), sum(length(summary)) FROM package
WHERE summary LIKE '%library%' OR summary LIKE '%a%e%i%o%u%' OR homepage LIKE '%://%/~%' OR filename LIKE '%/%-dev_%+%';

--# a scan of every relation with GLOB, joined with its package
SELECT r.kind, count(*), count(DISTINCT p.source), min(p.name), max(r.target)
FROM relation AS r JOIN package AS p ON p.id = r.package
WHERE r.target GLOB '*[0-9].[0-9]*' OR r.version GLOB '*~*' GROUP BY r.kind ORDER BY r.kind;

--# half a million relations looked up one by one in scattered order
SELECT count(*), sum(length(r.target)), sum(length(p.filename)), count(DISTINCT p.maintainer)
FROM (SELECT (rowid * 7919) % (SELECT max(rowid) + 1 FROM relation) AS pick FROM relation) AS scattered
CROSS JOIN relation AS r ON r.rowid = scattered.pick CROSS JOIN package AS p ON p.id = r.package;

--# each relation against the versions that there are (text of both, hashed into groups)
SELECT (unicode(r.target) * 31 + length(r.target)) % 64 AS part, count(*), sum(p.version = r.version), sum(p.version > r.version)
FROM relation AS r JOIN package AS p ON p.name = r.target WHERE r.operator IS NOT NULL GROUP BY part ORDER BY part;
