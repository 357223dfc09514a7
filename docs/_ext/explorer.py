"""The page on which a reader chooses: representation, λ, attacker, bias. Its numbers are the rows of the run's CSVs."""

import json

import altair as alt
import pandas as pd
from docutils import nodes
from results import Pages, read, row_id
from sphinx.util.docutils import SphinxDirective

from blindlib.report.plots import colour

CHOSEN, NONE = "chosen by validation people", "none"
FRONTIER = "stronger of NN and ladder"
_MENUS = {
    "representation": "Representation",
    "strength": "λ",
    "attacker": "Attacker",
    "bias": "Bias of the training set",
}


def trained(frontier: pd.DataFrame) -> set[str]:
    """The methods that have a λ."""
    return set(frontier.loc[frontier["strength"] > 0, "method"])


def named(representation: str, methods: set[str]) -> tuple[str, str]:
    """What the menus call a representation of a CSV (`SN λ=3`, `LNTL demographic`): its name and its λ."""
    method, _, strength = representation.partition(" λ=")
    return method, strength or (CHOSEN if method.split()[0] in methods else NONE)


def points(table1: pd.DataFrame, frontier: pd.DataFrame, curves: pd.DataFrame) -> list[dict]:
    """A point for each representation, λ and attacker that was measured: what it costs and what is read.

    `id`, `emotion`, half-widths `_hw`, `chance`, `diff` (None where a file has none), and `rows`, the CSVs' rows
    (from 0) that these come from.
    """
    methods, table = trained(frontier), table1[table1["protocol"] == "B"]
    identity = table[table["domain"] == "ID"].reset_index().set_index("representation")
    found = []

    def add(name: str, strength: str, attacker: str, cost: pd.Series, leak: pd.Series, rows: list) -> None:
        point = {"representation": name, "strength": strength, "attacker": attacker, "rows": rows}
        point |= {
            "id": cost["mean"],
            "id_hw": cost["half_width"],
            "emotion": leak["mean"],
            "emotion_hw": leak["half_width"],
        }
        point |= {"chance": leak["chance"], "diff": leak.get("diff"), "diff_hw": leak.get("diff_half_width")}
        found.append({k: None if isinstance(v, float) and pd.isna(v) else v for k, v in point.items()})

    for n, row in frontier.iterrows():
        strength = f"{row['strength']:g}" if row["method"] in methods else NONE
        cost = pd.Series({"mean": row["id"], "half_width": row["id_hw"]})
        leak = pd.Series({"mean": row["emotion"], "half_width": row["emotion_hw"], "chance": row["chance"]})
        add(row["method"], strength, FRONTIER, cost, leak, [["frontier", n]])
    for n, row in table[table["domain"].str.startswith("Emotion (")].iterrows():
        cost, attacker = identity.loc[row["representation"]], f"{row['domain'][9:-1]} of Table 1"
        add(
            *named(row["representation"], methods), attacker, cost, row, [["table1", int(cost["index"])], ["table1", n]]
        )
    for n, row in curves.iterrows():
        if row["representation"] in identity.index:
            cost, attacker = (
                identity.loc[row["representation"]],
                f"{row['probe']} of the ladder, {row['people']} people",
            )
            add(
                *named(row["representation"], methods),
                attacker,
                cost,
                row,
                [["table1", int(cost["index"])], ["attack_curves", n]],
            )
    return found


def plane(rows: list[dict]) -> alt.LayerChart:
    """Identity against emotion read, for the chosen attacker; the chosen representation and λ stand out."""
    chosen = "datum.representation == representation && datum.strength == strength"
    names = list(dict.fromkeys(row["representation"] for row in rows))
    base = (
        alt.Chart(alt.Data(values=rows))
        .transform_filter("datum.attacker == attacker")
        .transform_calculate(low="datum.emotion - datum.emotion_hw", high="datum.emotion + datum.emotion_hw")
        .transform_calculate(left="datum.id - datum.id_hw", right="datum.id + datum.id_hw")
        .encode(
            x=alt.X("id:Q", title="verification, % (kept →)", scale=alt.Scale(zero=False, nice=True)),
            y=alt.Y("emotion:Q", title="emotion read by the attacker, %", scale=alt.Scale(domain=[0, 100])),
            color=alt.Color(
                "representation:N",
                scale=alt.Scale(domain=names, range=[colour(name) for name in names]),
                legend=alt.Legend(orient="bottom", columns=4, title=None, symbolOpacity=1),
            ),
            opacity=alt.condition(chosen, alt.value(1), alt.value(0.45)),
            tooltip=[
                "representation:N",
                alt.Tooltip("strength:N", title="λ"),
                "id:Q",
                "id_hw:Q",
                "emotion:Q",
                "emotion_hw:Q",
            ],
        )
    )
    whiskers = base.mark_rule().encode(y="low:Q", y2="high:Q"), base.mark_rule().encode(x="left:Q", x2="right:Q")
    dots = base.mark_point(filled=True).encode(size=alt.condition(chosen, alt.value(180), alt.value(45)))
    guess = alt.Chart(alt.Data(values=rows)).transform_filter("datum.attacker == attacker")
    chance = guess.mark_rule(strokeDash=[2, 3], color="#777777").encode(y="mean(chance):Q")
    swept = base.transform_filter("isFinite(toNumber(datum.strength))")
    lines = swept.transform_calculate(order="toNumber(datum.strength)").mark_line(strokeWidth=1)
    lines = lines.encode(order="order:Q", opacity=alt.value(0.35), tooltip=alt.value(None))
    words = swept.transform_filter("datum.representation == representation").mark_text(dx=9, dy=-9, fontSize=11)
    words = words.encode(text="strength:N", opacity=alt.value(1))
    signals = [alt.param(name=name, value="") for name in ("representation", "strength", "attacker")]
    return _sized(alt.layer(chance, lines, *whiskers, dots, words).add_params(*signals), 340)


def case(rows: list[dict]) -> alt.LayerChart:
    """The gap of the case study over the bias of its training set; the chosen representation stands out."""
    names = list(dict.fromkeys(row["representation"] for row in rows))
    ticks = alt.Axis(values=sorted({row["bias"] for row in rows}), format=".1f")
    base = (
        alt.Chart(alt.Data(values=rows))
        .transform_calculate(low="datum.gap - datum.gap_hw", high="datum.gap + datum.gap_hw")
        .encode(
            x=alt.X(
                "bias:Q",
                title="share of the attractive who smile, in training",
                scale=alt.Scale(zero=False),
                axis=ticks,
            ),
            y=alt.Y("gap:Q", title="difference of true positive rates, points"),
            color=alt.Color(
                "representation:N",
                scale=alt.Scale(domain=names, range=[colour(name) for name in names]),
                legend=alt.Legend(orient="bottom", columns=4, title=None, symbolOpacity=1),
            ),
            opacity=alt.condition("datum.representation == representation", alt.value(1), alt.value(0.3)),
            tooltip=["representation:N", "bias:Q", "gap:Q", "gap_hw:Q", "acc:Q", "acc_hw:Q"],
        )
    )
    own = base.transform_filter("datum.representation == representation")
    here = own.transform_filter("datum.bias == bias").mark_point(filled=True, size=180)
    signals = [alt.param(name="representation", value=""), alt.param(name="bias", value=0)]
    whiskers = own.mark_rule().encode(y="low:Q", y2="high:Q")
    return _sized(alt.layer(base.mark_line(point=True), whiskers, here).add_params(*signals), 300)


def _sized(chart: alt.LayerChart, height: int) -> alt.LayerChart:
    return chart.properties(width="container", height=height, background="white")


class Explorer(SphinxDirective, Pages):
    """Menus, two charts and the chosen numbers with their intervals."""

    def run(self):
        """HTML with its data within, so that it opens from a disk."""
        names = ("table1", "frontier", "attack_curves", "bias_sweep")
        table1, frontier, curves, sweep = (read(self.env, name) for name in names)
        rows = points(table1, frontier, curves)
        biases = [row | {"rows": [["bias_sweep", n]]} for n, row in enumerate(sweep.to_dict("records"))]
        uri = self.env.app.builder.get_relative_uri(self.env.docname, "rows")
        links = {f"{name} {n}": f"{uri}#{row_id(name, n)}" for point in rows + biases for name, n in point["rows"]}
        charts = {"plane": plane(rows).to_dict(), "case": case(biases).to_dict()}
        data = {"points": rows, "biases": biases, "links": links, "charts": charts}
        text = json.dumps(data, ensure_ascii=False, allow_nan=False).replace("</", "<\\/")
        menus = "".join(
            f'<label>{words} <select id="choose-{name}"></select></label>' for name, words in _MENUS.items()
        )
        html = f"""
<form class="explorer" aria-label="What to show">{menus}</form>
<noscript><p>This page needs JavaScript; its numbers stand in the tables and CSVs.</p></noscript>
<div class="table-wrapper" aria-live="polite"><table class="docutils" id="chosen"></table></div>
<figure class="chart">
<div id="plane" role="img" aria-label="Verification against emotion read, by representation"></div>
<figcaption>Right is better, below is better. Whiskers: 95 % intervals. Dotted: chance.
Lines join the λ of a method; those of the chosen one are written beside its points.</figcaption></figure>
<figure class="chart">
<div id="case" role="img" aria-label="Gap of the case study by bias and representation"></div>
<figcaption>The case study: each representation as its λ was chosen. Whiskers: 95 % intervals.</figcaption></figure>
<script id="explorer-data" type="application/json">{text}</script>
<script src="_static/vega.js"></script>
<script src="_static/explorer.js"></script>"""
        return [nodes.raw("", html, format="html")]


def setup(app) -> dict:
    """Register the directive."""
    app.add_directive("explorer", Explorer)
    return {"parallel_read_safe": True}
