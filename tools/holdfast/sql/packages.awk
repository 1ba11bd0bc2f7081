# SPDX-License-Identifier: MIT
#
# Turns Debian's package lists (the stanzas of "apt-cache dumpavail", of a Packages file or of /var/lib/dpkg/status) into three
# files that the sqlite3 shell imports with ".import --ascii":
#
#   package.rows    one record per stanza: number and the fields of the table below, in that order
#   relation.rows   one record per name in Depends, Recommends and so on: package number, kind, position, alternative, name,
#                   operator, version. "Depends: a (>= 1), b | c" is three records; b and c share a position.
#   tag.rows        one record per debtags tag: package number, facet, value
#
# Fields end in \037 and records in \036, the separators that ASCII has for this, so that nothing needs quoting.
# Variables: rows (stop after so many stanzas; 0: all). Plain POSIX awk; the files are written into the current directory.

BEGIN {
    count = split("Package Version Architecture Source Section Priority Maintainer Homepage Installed-Size Size " \
                  "Essential Multi-Arch Filename MD5sum SHA256 Description", column, " ")
    kinds = split("Pre-Depends Depends Recommends Suggests Enhances Breaks Conflicts Replaces Provides", kind, " ")
    number = 0
    printf "" > "package.rows" # all three exist, even without a tag in the lists
    printf "" > "relation.rows"
    printf "" > "tag.rows"
}

# One field of the stanza, or the continuation of the one before it.
/^[^ \t:]+:/ {
    colon = index($0, ":")
    last = substr($0, 1, colon - 1)
    value = substr($0, colon + 1)
    sub(/^[ \t]+/, "", value)
    field[last] = value
    next
}
/^[ \t]/ { if (last != "") field[last] = field[last] "\n" substr($0, 2); next }
/^$/ {
    stanza()
    if (rows > 0 && number >= rows) exit
}
END { if (!(rows > 0 && number >= rows)) stanza() }

function stanza(    i) {
    if (field["Package"] != "") {
        number++
        record = number
        for (i = 1; i <= count; i++) record = record "\037" field[column[i]]
        printf "%s\036", record > "package.rows"
        for (i = 1; i <= kinds; i++) if (field[kind[i]] != "") relations(kind[i], field[kind[i]])
        if (field["Tag"] != "") tags(field["Tag"])
    }
    split("", field)
    last = ""
}

function relations(which, text,    groups, group, i, choices, choice, j, name, rest, operator) {
    gsub(/[ \t\n]+/, " ", text)
    groups = split(text, group, / ?, ?/)
    for (i = 1; i <= groups; i++) {
        choices = split(group[i], choice, / ?\| ?/)
        for (j = 1; j <= choices; j++) {
            name = choice[j]
            rest = operator = ""
            if (match(name, / ?\(/)) {
                rest = substr(name, RSTART + RLENGTH)
                name = substr(name, 1, RSTART - 1)
                sub(/\).*$/, "", rest)
                if (match(rest, /^[<>=]+ ?/)) {
                    operator = substr(rest, 1, RLENGTH)
                    rest = substr(rest, RLENGTH + 1)
                    sub(/ $/, "", operator)
                }
            }
            sub(/:[a-z0-9]+$/, "", name)
            if (name != "")
                printf "%d\037%s\037%d\037%d\037%s\037%s\037%s\036", number, which, i, j, name, operator, rest > "relation.rows"
        }
    }
}

function tags(text,    many, tag, i, at) {
    gsub(/[ \t\n]+/, " ", text)
    many = split(text, tag, /, ?/)
    for (i = 1; i <= many; i++) {
        at = index(tag[i], "::")
        if (at > 0) printf "%d\037%s\037%s\036", number, substr(tag[i], 1, at - 1), substr(tag[i], at + 2) > "tag.rows"
    }
}
