# SPDX-License-Identifier: MIT
"""Tables of a run as plain text, and the same with plots as one self-contained page.

The plots need matplotlib (Debian: python3-matplotlib); without it the page has the tables only, and says so.
"""
import dataclasses
import html
import io
import math
import re

import cells as plan

OURS, OTHERS, UNCHECKED, HARNESS, INK = "#0f766e", "#aab4c0", "#d9c9a3", "#e6e9ed", "#1f2933"
COLOURS = {"holdfast": OURS, "peer": OTHERS, "unchecked": UNCHECKED, "harness": HARNESS}


@dataclasses.dataclass
class Table:
    key: str
    title: str
    text: str
    columns: list  # (label, unit, better)
    rows: list     # (subject, kind, [figure or None])


def number(value):
    """Three significant digits, no exponent."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}" if digits else f"{round(value, 2 - math.floor(math.log10(abs(value)))):,.0f}"


def times(ratio):
    return "" if ratio is None else f"{ratio:.2f}" if ratio < 10 else number(ratio)


def shown_name(group_key, subject):
    return "bare" if group_key == "lifetime" and subject != "holdfast" else subject


def tables(run, groups):
    """One table per group that has figures, then that of the accesses."""
    order = ["holdfast", "holdfast +5 %"] + [s for s in run["subjects"] if s != "holdfast"]
    made = []
    for group in groups:
        found = [run["figures"].get(cell.key, {}) for cell in group.cells]
        rows = [(shown_name(group.key, s), "peer" if group.key == "lifetime" and s != "holdfast" else run["kinds"][s], [f.get(s) for f in found])
                for s in order if any(s in f for f in found)]
        if rows:
            made.append(Table(group.key, group.title, group.text, [(c.label, c.unit, c.better) for c in group.cells], rows))
    return made


def access_rows(run):
    """(what, figure, figure of the row to compare with or None)"""
    figures = {name: run["figures"].get(f"access-{name}", {}).get("holdfast") for name, _, _ in plan.ACCESS}
    return [(text, figures[name], base and (dict((n, t) for n, t, _ in plan.ACCESS)[base], figures[base]))
            for name, text, base in plan.ACCESS if figures[name]]


def against_the_best(made):
    """Per cell: (table, column, unit, holdfast's row name, its figure, best peer, its figure, how many times better holdfast is)."""
    lines = []
    for table in made:
        for i, (label, unit, better) in enumerate(table.columns):
            peers = [(name, row[i]) for name, kind, row in table.rows if kind == "peer" and row[i]]
            if not peers:
                continue
            best = (min if better == "low" else max)(peers, key=lambda p: p[1]["median"])
            for name, kind, row in table.rows:
                if kind == "holdfast" and row[i] and row[i]["ratio"] and best[1]["ratio"]:
                    # Both ratios are to plain holdfast of the same round.
                    ratio = best[1]["ratio"] / row[i]["ratio"]
                    lines.append((table, label, unit, name, row[i], best[0], best[1], ratio if better == "low" else 1 / ratio))
    return lines


# -- plain text ----------------------------------------------------------------------------------------------------------------

def align(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [("  " + "  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths)))).rstrip() for row in rows]


def figure_text(figure):
    return "-" if not figure else f"{number(figure['median'])} ({times(figure['ratio'])})" if figure["ratio"] else number(figure["median"])


def table_text(table):
    rows = [[""] + [f"{label} [{unit}]" for label, unit, _ in table.columns]]
    rows += [[name] + [figure_text(f) for f in row] for name, _, row in table.rows]
    if max(len(cell) for cell in rows[0]) > 26:  # many words in the heads: a line for each column instead
        rows = [list(row) for row in zip(*rows)]
    return [table.title, "  " + table.text, ""] + align(rows) + [""]


def as_text(run, made):
    lines = ["", f"holdfast {run['subjects'].get('holdfast', '')}, {run['date']}, {run['seconds']} s: {run['command']}"]
    lines += [f"  {key}: {value}" for key, value in run["machine"].items()]
    lines += [f"  {key}: {value}" for key, value in run["subjects"].items() if value and key != "holdfast"]
    lines += ["", "Medians; in parentheses how many times holdfast's figure, paired within each round.", ""]
    for table in made:
        lines += table_text(table)
    rows = access_rows(run)
    if rows:
        lines += ["Looking before touching, ns per access", ""]
        lines += align([["", "ns", "over"]] + [[text, f"{f['median']:.2f}", f"{f['median'] - base[1]['median']:+.2f} over {base[0]}" if base and base[1] else ""]
                                               for text, f, base in rows]) + [""]
    if run.get("sqlite"):
        lines += [run["sqlite"]["text"].strip(), ""]
    best = against_the_best(made)
    if best:
        lines += ["holdfast against the best peer of each column (times better; below 1: behind)", ""]
        lines += align([["", "", "holdfast", "best peer", "", "times better"]] +
                       [[f"{t.title.split(':')[0]}, {label} [{unit}]", ours, number(f["median"]), number(b["median"]), peer, f"{factor:.2f}"]
                        for t, label, unit, ours, f, peer, b, factor in best]) + [""]
    return "\n".join(lines)


# -- plots ---------------------------------------------------------------------------------------------------------------------

def pyplot():
    try:
        import matplotlib
    except ImportError:
        return None
    matplotlib.use("svg")
    import matplotlib.pyplot as plt
    plt.rcParams.update({"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9.5, "text.color": INK, "axes.edgecolor": "#c5ccd4",
                         "axes.labelcolor": "#52606d", "xtick.color": "#52606d", "ytick.color": INK, "axes.spines.top": False,
                         "axes.spines.right": False, "axes.spines.left": False, "ytick.major.size": 0, "svg.hashsalt": "holdfast"})
    return plt


def svg_of(plt, figure, label):
    out = io.StringIO()
    figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    text = out.getvalue()
    text = text[text.index("<svg"):]
    # One page holds many of them: their ids must differ, and the page sizes them.
    prefix = re.sub(r"\W", "", label)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}-", text)
    text = re.sub(r'<svg (.*?)width="([\d.]+)pt"(.*?)height="[\d.]+pt"|<svg (.*?)height="[\d.]+pt"(.*?)width="([\d.]+)pt"',
                  lambda m: f'<svg role="img" aria-label="{html.escape(label)}" style="max-width:{float(m[2] or m[6]) * 1.25:.0f}px" '
                            f'{m[1] or m[4]} {m[3] or m[5]}', text, count=1)
    return text


def draw_panel(axis, table, i):
    label, unit, better = table.columns[i]
    shown = [(k, name, kind, row[i]) for k, (name, kind, row) in enumerate(table.rows) if row[i]]
    medians = [f["median"] for _, _, _, f in shown]
    wide = min(medians) > 0 and max(medians) / min(medians) > 25
    if wide:
        axis.set_xscale("log")
        axis.set_xlim(10 ** math.floor(math.log10(min(medians)) - 0.15), max(f["greatest"] for *_, f in shown) * 9)
        start = axis.get_xlim()[0]
    else:
        start = 0
        axis.set_xlim(0, min(max(f["greatest"] for *_, f in shown), 1.6 * max(medians)) * 1.3)
    for k, name, kind, f in shown:
        axis.barh(k, f["median"] - start, left=start, height=0.68, color=COLOURS[kind], zorder=2)
        axis.plot([f["least"], f["greatest"]], [k, k], color=INK, lw=0.8, alpha=0.55, zorder=3, clip_on=True)
        far = min(f["greatest"], axis.get_xlim()[1])
        inside = far > (axis.get_xlim()[1] * 0.8 if not wide else axis.get_xlim()[1] / 3)
        x = f["median"] if inside else far
        axis.annotate(number(f["median"]), (x, k), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8.5,
                      color=OURS if kind == "holdfast" else INK, fontweight="bold" if kind == "holdfast" else "normal", zorder=4,
                      bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6})
    axis.set_title(label, fontsize=10, loc="left", color=INK)
    axis.set_xlabel(f"{unit}, {'less' if better == 'low' else 'more'} is better" + (", log scale" if wide else ""), fontsize=8.5)
    axis.grid(axis="x", color="#edf0f3", zorder=0)
    axis.tick_params(axis="x", labelsize=8)
    if not wide:
        axis.locator_params(axis="x", nbins=4)


def table_plot(plt, table):
    columns = 5 if len(table.columns) == 5 else min(len(table.columns), 4)
    lines = math.ceil(len(table.columns) / columns)
    width = {1: 7.0, 2: 10.0}.get(columns, 12.5)
    figure, axes = plt.subplots(lines, columns, sharey=True, squeeze=False, figsize=(width, lines * (0.75 + 0.27 * len(table.rows))), layout="constrained")
    for i, axis in enumerate(axes.flat):
        if i >= len(table.columns):
            axis.axis("off")
            continue
        draw_panel(axis, table, i)
    first = axes[0][0]
    first.set_yticks(range(len(table.rows)), [name for name, _, _ in table.rows])
    first.set_ylim(len(table.rows) - 0.4, -0.6)
    for line in axes:
        for label, (_, kind, _) in zip(line[0].get_yticklabels(), table.rows):
            label.set_color(OURS if kind == "holdfast" else INK)
            label.set_fontweight("bold" if kind == "holdfast" else "normal")
    return svg_of(plt, figure, table.title)


def overview_plot(plt, best):
    names = [f"{t.title.split(':')[0]} · {label}" + (" · limit +5 %" if "+5" in ours else "") for t, label, _, ours, *_ in best]
    figure, axis = plt.subplots(figsize=(10, 0.9 + 0.235 * len(best)), layout="constrained")
    for k, (_, _, _, _, _, peer, _, factor) in enumerate(best):
        ahead = factor >= 1
        axis.plot([1, factor], [k, k], color=OURS if ahead else "#c2703d", lw=2.2, alpha=0.45, zorder=2)
        axis.plot([factor], [k], "o", color=OURS if ahead else "#c2703d", ms=5.5, zorder=3)
        axis.annotate(f"{factor:.2f}× {peer}", (factor, k), xytext=(7 if ahead else -7, 0), textcoords="offset points", va="center",
                      ha="left" if ahead else "right", fontsize=8.3)
    factors = [line[-1] for line in best]
    axis.set_xscale("log", base=2)
    axis.set_xlim(min(0.5, min(factors)) / 5, max(2, max(factors)) * 5)
    axis.xaxis.set_major_formatter(lambda x, _: f"{x:.2g}×")
    axis.axvline(1, color=INK, lw=0.9, zorder=1)
    axis.set_yticks(range(len(best)), names, fontsize=8.6)
    axis.set_ylim(len(best) - 0.4, -0.6)
    axis.set_xlabel("times better than the best peer of that column (right of the line: holdfast is ahead)")
    axis.grid(axis="x", color="#edf0f3", zorder=0)
    return svg_of(plt, figure, "overview")


def access_plot(plt, rows):
    figure, axis = plt.subplots(figsize=(8.5, 0.8 + 0.25 * len(rows)), layout="constrained")
    most = max(f["median"] for _, f, _ in rows)
    for k, (text, f, _) in enumerate(rows):
        ours = "hf_" in text or text.startswith("the same, two")
        axis.barh(k, f["median"], height=0.66, color=OURS if ours else HARNESS if "harness" in text else OTHERS, zorder=2)
        axis.plot([f["least"], min(f["greatest"], most * 1.15)], [k, k], color=INK, lw=0.8, alpha=0.55, zorder=3)
        axis.annotate(f"{f['median']:.1f}", (max(f["median"], min(f["greatest"], most * 1.15)), k), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8.5)
    axis.set_yticks(range(len(rows)), [text for text, _, _ in rows])
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.set_xlim(0, most * 1.2)
    axis.set_xlabel("CPU ns per access, less is better", fontsize=8.5)
    axis.grid(axis="x", color="#edf0f3", zorder=0)
    return svg_of(plt, figure, "Looking before touching")


# -- the page ------------------------------------------------------------------------------------------------------------------

STYLE = """
:root { --ink: #1f2933; --soft: #616e7c; --line: #e4e7eb; --ours: #0f766e; }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; color: var(--ink); background: #f5f7f9; }
main { max-width: 1120px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 28px; margin: 0 0 4px; letter-spacing: -0.01em; } h1 b { color: var(--ours); }
h2 { font-size: 19px; margin: 0 0 4px; }
p { margin: 0 0 14px; max-width: 80ch; } .soft { color: var(--soft); }
section { background: #fff; border: 1px solid var(--line); border-radius: 10px; padding: 22px 24px; margin: 18px 0; overflow-x: auto; }
nav { margin: 10px 0 0; } nav a { display: inline-block; margin: 0 14px 4px 0; color: var(--ours); text-decoration: none; }
svg { display: block; width: 100%; height: auto; margin: 8px 0 4px; } svg text { font-family: inherit !important; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13.5px; margin: 6px 0; }
th, td { padding: 4px 14px 4px 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } thead th { color: var(--soft); font-weight: 600; vertical-align: bottom; white-space: normal; }
tr.holdfast td { color: var(--ours); font-weight: 600; } tr.harness td, tr.unchecked td { color: var(--soft); }
td small { color: var(--soft); font-weight: 400; } td.left { text-align: left; } .behind { color: #a4521d; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 18px; margin: 0; font-size: 13.5px; } dt { color: var(--soft); } dd { margin: 0; }
code { white-space: nowrap; font: 13px ui-monospace, "DejaVu Sans Mono", monospace; background: #eef1f4; padding: 1px 6px; border-radius: 4px; }
details summary { cursor: pointer; color: var(--soft); font-size: 13.5px; }
.key i { display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin: 0 5px 0 14px; vertical-align: -1px; } .key i:first-child { margin-left: 0; }
"""


def rich(text):
    return re.sub(r"`([^`]*)`", r"<b>\1</b>", html.escape(text))


def figure_cell(figure):
    if not figure:
        return "<td class=soft>·</td>"
    ratio = f" <small>×{times(figure['ratio'])}</small>" if figure["ratio"] else ""
    return f"<td>{number(figure['median'])}{ratio}<br><small>{number(figure['least'])} … {number(figure['greatest'])}</small></td>"


def table_html(table):
    head = "".join(f"<th>{html.escape(label)}<br>{unit}</th>" for label, unit, _ in table.columns)
    body = "".join(f"<tr class={kind}><td>{html.escape(name)}</td>{''.join(map(figure_cell, row))}</tr>" for name, kind, row in table.rows)
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"


def overview_html(plt, best):
    body = "".join(
        f"<tr><td>{html.escape(t.title.split(':')[0])} · {html.escape(label)}</td><td>{number(f['median'])} {unit}</td><td>{number(b['median'])} {unit}</td>"
        f"<td class=left>{html.escape(peer)}</td><td class='{'' if factor >= 1 else 'behind'}'>{factor:.2f}×</td><td class=left>{html.escape(ours)}</td></tr>"
        for t, label, unit, ours, f, peer, b, factor in best)
    plot = overview_plot(plt, best) if plt else ""
    return ("<section id=overview><h2>At one look</h2><p class=soft>holdfast against the best peer of each column. The thread-local lists without checks are "
            f"not a peer: no two threads could share them.</p>{plot}<details><summary>the figures</summary><table><thead><tr><th></th><th>holdfast</th><th>best peer</th><th></th>"
            f"<th>times better</th><th></th></tr></thead><tbody>{body}</tbody></table></details></section>")


def access_html(plt, rows):
    body = "".join(
        f"<tr class={'holdfast' if 'hf_' in text else 'peer'}><td>{html.escape(text)}</td><td>{f['median']:.2f}<br><small>{f['least']:.2f} … {f['greatest']:.2f}</small></td>"
        + (f"<td>{f['median'] - base[1]['median']:+.2f} <small>over {html.escape(base[0])}</small></td>" if base and base[1] else "<td></td>") + "</tr>"
        for text, f, base in rows)
    return ("<section id=access><h2>Looking before touching</h2><p class=soft>Sixteen hot pages of 4 KiB, one thread, CPU time per access; the loop is included in every row.</p>"
            f"{access_plot(plt, rows) if plt else ''}<details><summary>the figures</summary><table><thead><tr><th></th><th>ns</th><th>more than</th></tr></thead>"
            f"<tbody>{body}</tbody></table></details></section>")


def sqlite_plot(plt, cells):
    figure, axis = plt.subplots(figsize=(8.5, 0.9 + 0.36 * len(cells)), layout="constrained")
    for k, c in enumerate(cells):
        axis.plot([c["ratio_least"], c["ratio_greatest"]], [k, k], color=OURS, lw=2, alpha=0.35, zorder=2)
        axis.plot([c["ratio_noise"]], [k], "o", mfc="white", mec=OTHERS, ms=6, zorder=3)
        axis.plot([c["ratio"]], [k], "o", color=OURS, ms=7, zorder=4)
        axis.annotate(f"{c['ratio']:.3f}", (c["ratio"], k), xytext=(0, 7), textcoords="offset points", ha="center", fontsize=8.5, color=OURS)
    axis.axvline(1, color=INK, lw=0.9, zorder=1)
    axis.set_yticks(range(len(cells)), [c["what"] for c in cells])
    axis.set_ylim(len(cells) - 0.4, -0.7)
    axis.set_xlabel("processor time on holdfast over that on SQLite's own cache, less is better (hollow: own over own, the noise)", fontsize=8.5)
    axis.grid(axis="x", color="#edf0f3", zorder=0)
    return svg_of(plt, figure, "SQLite")


def sqlite_html(plt, sqlite):
    body = "".join(f"<tr><td>{html.escape(c['what'])}</td><td>{number(c['own_ns'])}</td><td>{number(c['holdfast_ns'])}</td>"
                   f"<td>{c['ratio']:.3f}<br><small>{c['ratio_least']:.3f} … {c['ratio_greatest']:.3f}</small></td><td>{c['ratio_noise']:.3f}</td></tr>"
                   for c in sqlite["cells"])
    return (f"<section id=sqlite><h2>SQLite {html.escape(sqlite['sqlite'])}</h2><p class=soft>The same operations on SQLite's own page cache and on holdfast, on "
            f"{sqlite['rows']:,} rows ({sqlite['database_bytes'] / 1e6:.0f} MB). Processor time per operation, medians of {sqlite['rounds']} rounds; ratios within a round.</p>"
            f"{sqlite_plot(plt, sqlite['cells']) if plt else ''}<details><summary>the figures</summary><table><thead><tr><th></th><th>own<br>ns</th><th>holdfast<br>ns</th>"
            f"<th>holdfast / own</th><th>own / own</th></tr></thead><tbody>{body}</tbody></table></details></section>")


def facts_html(run):
    def items(facts):
        return "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(str(v))}</dd>" for k, v in facts.items() if v)
    return ("<section id=machine><h2>Machine and versions</h2><dl>" + items(run["machine"]) + "</dl><p></p><dl>" + items(run["subjects"]) + "</dl><p></p>"
            f"<p class=soft>{run['rounds']} rounds (fewer for the long workloads), {run['millis']} ms a turn (more for those with threads). In each round every "
            "subject runs in a process of its own, one right after the other. Figures are medians over the rounds, lines and small print the least and the "
            "greatest, × the median of the ratios to holdfast within each round. Every process has a second thread asleep, so that no C library leaves out its "
            "locked instructions. holdfast is called through its shared library.</p></section>")


def as_html(run, made):
    plt = pyplot()
    best, access = against_the_best(made), access_rows(run)
    links = "".join(f"<a href='#{t.key}'>{html.escape(t.title.split(':')[0])}</a>" for t in made) + ("<a href='#access'>access</a>" if access else "") + ("<a href='#sqlite'>SQLite</a>" if run.get("sqlite") else "")
    parts = [f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>holdfast benchmark</title><style>{STYLE}</style><main>",
             f"<h1><b>holdfast</b> against what else one could use</h1><p class=soft>{run['date']} · {html.escape(run['machine'].get('processor', ''))}, "
             f"{run['machine']['cores']} cores · holdfast {html.escape(run['subjects'].get('holdfast', ''))} · <code>{html.escape(run['command'])}</code></p>",
             f"<p class='soft key'><i style='background:{OURS}'></i>holdfast<i style='background:{OTHERS}'></i>peers"
             f"<i style='background:{UNCHECKED}'></i>thread-local lists without any check<i style='background:{HARNESS}'></i>the harness alone</p><nav>{links}</nav>"]
    if run["quick"]:
        parts.append("<p class=behind>A quick run: coarse figures.</p>")
    if not plt:
        parts.append("<p class=behind>No plots: python3-matplotlib is not installed.</p>")
    if best:
        parts.append(overview_html(plt, best))
    for table in made:
        plot = table_plot(plt, table) if plt else ""
        parts.append(f"<section id={table.key}><h2>{html.escape(table.title)}</h2><p class=soft>{rich(table.text)}</p>{plot}"
                     f"<details{'' if plot else ' open'}><summary>the figures</summary>{table_html(table)}</details></section>")
    if access:
        parts.append(access_html(plt, access))
    if run.get("sqlite"):
        parts.append(sqlite_html(plt, run["sqlite"]))
    parts.append(facts_html(run))
    return "\n".join(parts) + "</main></html>\n"
