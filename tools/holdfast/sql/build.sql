-- SPDX-License-Identifier: MIT
--
-- Builds the database of "holdfast run" from the three files that packages.awk writes, with the sqlite3 shell, in the folder that
-- holds them. A line that begins with --# starts a step and is its title. Everything is in a stated order and nothing depends on
-- the clock or on chance: the same lists give the same bytes.

--# tables
PRAGMA page_size = 4096;
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -65536;
CREATE TABLE maintainer(
    id    INTEGER PRIMARY KEY,
    name  TEXT NOT NULL,
    email TEXT NOT NULL,
    UNIQUE(name, email)
);
CREATE TABLE package(
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL,
    version       TEXT NOT NULL,
    architecture  TEXT NOT NULL,
    source        TEXT NOT NULL,      -- the source package's name; the package's own where the lists leave it out
    section       TEXT NOT NULL,
    priority      TEXT NOT NULL,
    maintainer    INTEGER NOT NULL REFERENCES maintainer,
    homepage      TEXT,
    installed_kib INTEGER,
    bytes         INTEGER,            -- of the .deb
    essential     INTEGER NOT NULL,
    multi_arch    TEXT,
    filename      TEXT,
    md5           BLOB,
    sha256        BLOB,
    summary       TEXT NOT NULL       -- the description's first line
);
CREATE TABLE relation(
    package     INTEGER NOT NULL REFERENCES package,
    kind        TEXT NOT NULL,        -- Depends, Recommends, Breaks, ...
    position    INTEGER NOT NULL,     -- in the list, from 1
    alternative INTEGER NOT NULL,     -- "a | b" is alternatives 1 and 2 of one position
    target      TEXT NOT NULL,        -- a package's name, or a virtual one
    operator    TEXT,
    version     TEXT,
    PRIMARY KEY(package, kind, position, alternative)
);
CREATE TABLE tag(
    package INTEGER NOT NULL REFERENCES package,
    facet   TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY(package, facet, value)
) WITHOUT ROWID;

--# the lists as they are
CREATE TEMP TABLE raw_package(
    id INTEGER PRIMARY KEY, name, version, architecture, source, section, priority, maintainer, homepage, installed_kib, bytes,
    essential, multi_arch, filename, md5, sha256, description
);
CREATE TEMP TABLE raw_relation(package INTEGER, kind, position INTEGER, alternative INTEGER, target, operator, version);
CREATE TEMP TABLE raw_tag(package INTEGER, facet, value);
.import --ascii package.rows raw_package
.import --ascii relation.rows raw_relation
.import --ascii tag.rows raw_tag

--# packages and maintainers, in the order of their names
CREATE TEMP TABLE numbered AS
    SELECT id AS old, row_number() OVER (ORDER BY name, version, architecture, id) AS id FROM raw_package;
CREATE UNIQUE INDEX temp.numbered_old ON numbered(old, id);
INSERT INTO maintainer(name, email)
    SELECT DISTINCT trim(iif(instr(maintainer, '<'), substr(maintainer, 1, instr(maintainer, '<') - 1), maintainer)),
                    iif(instr(maintainer, '<'), rtrim(substr(maintainer, instr(maintainer, '<') + 1), '>'), '')
    FROM raw_package ORDER BY 1, 2;
INSERT INTO package
    SELECT numbered.id, r.name, r.version, r.architecture,
           iif(r.source = '', r.name, iif(instr(r.source, ' '), substr(r.source, 1, instr(r.source, ' ') - 1), r.source)),
           r.section, r.priority, maintainer.id, nullif(r.homepage, ''),
           CAST(nullif(r.installed_kib, '') AS INTEGER), CAST(nullif(r.bytes, '') AS INTEGER),
           r.essential = 'yes', nullif(r.multi_arch, ''), nullif(r.filename, ''), nullif(r.md5, ''), nullif(r.sha256, ''),
           iif(instr(r.description, char(10)), substr(r.description, 1, instr(r.description, char(10)) - 1), r.description)
    FROM raw_package AS r JOIN numbered ON numbered.old = r.id
    JOIN maintainer
      ON maintainer.name = trim(iif(instr(r.maintainer, '<'), substr(r.maintainer, 1, instr(r.maintainer, '<') - 1), r.maintainer))
     AND maintainer.email = iif(instr(r.maintainer, '<'), rtrim(substr(r.maintainer, instr(r.maintainer, '<') + 1), '>'), '')
    ORDER BY numbered.id;

--# relations and tags
INSERT INTO relation
    SELECT numbered.id, kind, position, alternative, target, nullif(operator, ''), nullif(version, '')
    FROM raw_relation JOIN numbered ON numbered.old = raw_relation.package ORDER BY 1, 2, 3, 4;
INSERT OR IGNORE INTO tag
    SELECT numbered.id, facet, value FROM raw_tag JOIN numbered ON numbered.old = raw_tag.package ORDER BY 1, 2, 3;
DROP TABLE temp.raw_package;
DROP TABLE temp.raw_relation;
DROP TABLE temp.raw_tag;
DROP TABLE temp.numbered;

--# indexes
CREATE INDEX package_name ON package(name, version);
CREATE INDEX package_source ON package(source);
CREATE INDEX package_section ON package(section, bytes);
CREATE INDEX package_maintainer ON package(maintainer);
CREATE INDEX relation_target ON relation(target, kind);
CREATE INDEX tag_value ON tag(facet, value);

--# the dependency graph: what each dependency is fulfilled by
CREATE TABLE edge(
    package INTEGER NOT NULL REFERENCES package,
    target  INTEGER NOT NULL REFERENCES package,
    PRIMARY KEY(package, target)
) WITHOUT ROWID;
INSERT OR IGNORE INTO edge
    SELECT relation.package, package.id FROM relation JOIN package ON package.name = relation.target
    WHERE relation.kind IN ('Depends', 'Pre-Depends') AND relation.alternative = 1 ORDER BY 1, 2;
CREATE INDEX edge_target ON edge(target);

--# full text of names, summaries, tags and dependencies (FTS5)
CREATE VIRTUAL TABLE words USING fts5(name, summary, tags, needs, tokenize = 'porter unicode61', prefix = '2 3');
INSERT INTO words(rowid, name, summary, tags, needs)
    SELECT id, name, summary,
           (SELECT group_concat(facet || ' ' || value, ' ') FROM tag WHERE tag.package = package.id),
           (SELECT group_concat(target, ' ') FROM relation WHERE relation.package = package.id AND kind = 'Depends')
    FROM package ORDER BY id;

--# any piece of a file name, home page or summary (FTS5, trigrams)
CREATE VIRTUAL TABLE pieces USING fts5(place, homepage, summary, tokenize = 'trigram');
INSERT INTO pieces(rowid, place, homepage, summary) SELECT id, filename, homepage, summary FROM package ORDER BY id;

--# sizes as points (R-Tree)
CREATE VIRTUAL TABLE sizes USING rtree_i32(id, least_kib, most_kib, least_needs, most_needs);
INSERT INTO sizes
    SELECT id, coalesce(installed_kib, 0), coalesce(installed_kib, 0), needs, needs
    FROM (SELECT id, installed_kib, (SELECT count(*) FROM edge WHERE edge.package = package.id) AS needs FROM package)
    ORDER BY id;

--# statistics for the planner
ANALYZE;
