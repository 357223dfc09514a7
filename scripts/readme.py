"""Write the numbers of README.md and of the pages beside it from figures/: `python scripts/readme.py`, `make readme`.

What is written stands between `<!-- num: demo/table1; ID, SN; mean ± half_width -->` and `<!-- /num -->`: that number
of that CSV's one row, as the site's role `num` finds it. Tables and sentences stand between marks that bear the name of
the function here that makes them. `--check` writes nothing and exits 1 where a page would change.
"""

import json
import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd

from blindlib.appendix.frontier import advice as advise
from blindlib.blinders.validation import choose
from blindlib.common.errors import foreseen_in_one_line
from blindlib.common.files import ROOT, write_text
from blindlib.common.processes import one_line_when_interrupted
from blindlib.evaluate.verification import equal_error_rate, tar_at_far
from blindlib.presets import get_preset
from blindlib.report import claims
from blindlib.report.names import printed_name

sys.path.insert(0, str(ROOT / "docs" / "_ext"))
from results import find
from results import number as told

PAGES = ("README.md", "docs/results.md", "docs/running.md")
FIGURES = ROOT / "figures"
MARKED = re.compile(r"<!-- (\w+): ([^>]*?) -->(.*?)<!-- /\1 -->", re.S)


def filled(text: str, figures: Path = FIGURES) -> str:
    """The text with everything between its marks made anew from the runs in `figures`.

    Raises KeyError where a mark names none of `MADE`, or a number that is not one row's.
    """

    def fill(match: re.Match) -> str:
        name, what, old = match.groups()
        new = MADE[name](what, figures)
        lines = "\n" if old.startswith("\n") else ""  # a block of its own
        return f"<!-- {name}: {what} -->{lines}{new}{lines}<!-- /{name} -->"

    return MARKED.sub(fill, text)


def num(what: str, figures: Path) -> str:
    """`PRESET/TABLE; keys; column ± column`: one number."""
    table, keys, columns = re.split(r"\s*;\s*", what)
    counts = dict.fromkeys(("n_train_subjects", "n_test_subjects", "n_test"), "Int64")
    rows = pd.read_csv(figures / f"{table}.csv", dtype=counts)
    return told(rows, find(rows, re.split(r",\s*", keys)), columns)


def finding(preset: str, figures: Path) -> str:
    """The README's three lines: what is read, what is kept, what becomes of a bias."""

    def one(row: str, columns: str = "mean ± half_width", table: str = "table1") -> str:
        return num(f"{preset}/{table}; {row}; {columns}", figures)

    gap = {name: one(f"{name}, biased", "eq_opp ± eq_opp_hw", "table2") for name in ("x", "SN", "LNTL")}
    return (
        f"* From x a network names one of six emotions rightly for {one('Emotion (NN), x, B')} % of pictures "
        f"(guessing: {one('Emotion (NN), x, B', 'chance')}); from φ_SN, by SensitiveNets, for "
        f"{one('Emotion (NN), SN, B')} %. Our strongest attacker reads {one('Emotion (strongest), SN, B')} % there "
        f"(from x {one('Emotion (strongest), x, B', 'mean')}), and more when more people train it.\n"
        f"* Whether two pictures show one person is told rightly for {one('ID, x')} % of pairs from x, "
        f"{one('ID, SN')} % from φ_SN, {one('ID, LNTL')} % from φ_LNTL, by Learning Not to Learn.\n"
        "* A classifier of attractiveness, trained where the attractive smile more, accepts the attractive who smile "
        "and those who do not at rates that differ by "
        f"{gap['x']} points on x, {gap['SN']} on φ_SN, {gap['LNTL']} on φ_LNTL."
    )


def curve(what: str, figures: Path) -> str:
    """`PRESET/REPRESENTATION`: what the attacker chosen on the ladder reads, by its people."""
    preset, name = what.split("/")
    rows = pd.read_csv(figures / preset / "attack_curves.csv")
    rows = rows[(rows["representation"] == name) & (rows["probe"] == "strongest")].sort_values("people")
    return ", ".join(f"{row['mean']:.1f} % with {row['people']:,} people" for row in rows.to_dict("records"))


def record(preset: str, figures: Path) -> dict:
    """A run's run.json."""
    return json.loads((figures / preset / "run.json").read_text(encoding="utf-8"))


def minutes(preset: str, figures: Path) -> str:
    """How long a preset took, and on what."""
    run = record(preset, figures)
    machine = f"{run['machine']['cores']} cores, {'no GPU' if not run['machine']['gpu'] else run['machine']['gpu']}"
    return f"{run['seconds']['total'] / 60:.0f} minutes ({machine})"


def faces(preset: str, figures: Path) -> str:
    """How many pictures of how many people a preset's run had."""
    data = record(preset, figures)["data"]
    return f"{data['images']:,} pictures of {data['people']:,} people"


def times(preset: str, figures: Path) -> str:
    """The seconds of every notebook of a preset."""
    seconds = record(preset, figures)["seconds"]
    return grid(list(seconds), [[f"{value:,.0f} s" for value in seconds.values()]])


def scorecard(preset: str, figures: Path) -> str:
    """A line a claim: rule, verdict and interval by the paper's measures and by the strongest; linked for README."""
    return _scorecard(preset, figures, f"[{{}}](figures/{preset}/claims.md)")


def verdicts(preset: str, figures: Path) -> str:
    """As `scorecard`, for a page that lies elsewhere: without links."""
    return _scorecard(preset, figures, "{}")


def judged(preset: str, figures: Path) -> str:
    """A preset's verdicts by the paper's measures in a line: which claims are of which kind."""
    rows = pd.read_csv(figures / preset / "claims.csv")
    kinds = rows[rows["verdict"] != "not testable"].groupby("verdict", sort=False)["id"].agg(", ".join)
    others = ["others not testable"] * bool((rows["verdict"] == "not testable").any())
    return "; ".join([*(f"{names} {verdict}" for verdict, names in kinds.items()), *others])


def _scorecard(preset: str, figures: Path, first: str) -> str:
    rows, lines = pd.read_csv(figures / preset / "claims.csv"), []
    for row, card in zip(rows.to_dict("records"), claims.scorecard(rows).to_dict("records"), strict=True):
        both = [text.partition(";")[0] or "–" for text in list(card.values())[3::2]]
        lines.append([first.format(row["id"]), row["claim"], row["rule"], *both])
    return grid(["", "claim", "holds when", "by the paper's measures", "by our strongest"], lines)


def advice(preset: str, figures: Path) -> str:
    """Name the method that hides emotion best, as appendix A1 does."""
    path = figures / preset / "appendix" / "frontier.csv"
    if not path.is_file():
        return "Appendix A1 was not run for these figures."
    return advise(pd.read_csv(path, dtype={"bits": str}), get_preset(preset).id_budget)


def published(preset: str, figures: Path) -> str:
    """Diff of Table 1 beside the published one: where the published one lies outside of our interval."""
    table, lines = pd.read_csv(figures / preset / "table1.csv"), []
    for row in table[table["published_diff"].notna() & (table["protocol"] == "B")].to_dict("records"):
        away, word = row["published_diff"] - row["diff"], "no data"
        if pd.notna(away):
            beyond = abs(away) - row["diff_half_width"]  # of numbers that the table rounds to 0.1
            other = f"{'less' if away > 0 else 'more'} is lost here than published"
            word = "at its end" if abs(beyond) < 0.11 else "agrees" if beyond < 0 else other
        ours = told(pd.DataFrame([row]), 0, "diff ± diff_half_width")
        lines.append([f"φ_{row['representation']}", row["domain"], ours, f"{row['published_diff']:g}", word])
    return grid(["", "row of Table 1", "Diff, %", "published", ""], lines)


def settled(preset: str, figures: Path) -> str:
    """Tabulate the cells that longer training of the heads moves (appendix A3), if it was run."""
    path = figures / preset / "appendix" / "longer.csv"
    if not path.is_file():
        return "Appendix A3 was not run for these figures."
    moved, table = pd.read_csv(path), pd.read_csv(figures / preset / "table1.csv")
    now = table[table["protocol"] == "B"].set_index(["domain", "representation"])["mean"]
    rows, columns = moved.to_dict("records"), ("mean ± half_width", "longer")
    own = [abs(now.get((row["domain"], row["representation"]), 1e9) - row["mean"]) < 0.06 for row in rows]
    lines = [
        [printed_name(row["representation"]), row["domain"], *(told(moved, n, column) for column in columns)]
        for n, row in enumerate(rows)
        if not row["stays"]
    ]
    kept = moved[moved["stays"]].groupby("representation", sort=False).size()
    words = ", ".join(f"{count} of {printed_name(name)}" for name, count in kept.items())
    first = f"{len(moved) - len(lines)} of {len(moved)} cells move by half their half-width at most ({words}); others:"
    note = "" if all(own) else "\n\nThese are rows of an earlier run: their first column is not that of Table 1."
    table = grid(["", "row of Table 1", "in the run", "with twice the patience"], lines)
    return f"{first}\n\n{table}{note}"


def attackers(preset: str, figures: Path) -> str:
    """What twice the people who train the attackers read, and which verdicts it changes (`blindlib attackers`)."""
    path = figures / preset / "attackers.csv"
    if not path.is_file():
        return "`blindlib attackers` was not run for these figures."
    cells, names = pd.read_csv(path), ("NN", "SVM", "RF", "strongest")
    words = {(row.representation, row.domain): f"{row.mean:.1f} → {row.twice:.1f}" for row in cells.itertuples()}
    lines = [
        [printed_name(name), *(words[name, f"Emotion ({probe})"] for probe in names)]
        for name in cells[cells["domain"] == "Emotion (strongest)"].sort_values("twice")["representation"]
    ]
    files, judged = (figures / preset / "claims.csv", path.with_stem("attackers_claims")), []
    before, after = (pd.read_csv(file).set_index("id") for file in files)
    for claim, row in after.iterrows():
        for column, by in (("", "by the paper's attackers"), ("strongest_", "by the strongest")):
            was, now = before.loc[claim, f"{column}verdict"], row[f"{column}verdict"]
            word = f"stays *{now}*" if was == now else f"goes from *{was}* to *{now}*"
            ends = ", ".join(f"{row[f'{column}{end}']:.1f}" for end in ("low", "high"))
            judged.append(f"{claim} {word} {by} ({row[f'{column}estimate']:.1f} [{ends}])")
    return f"{grid(['read, %', *names], lines)}\n\n{'; '.join(judged)}."


def errors(preset: str, figures: Path) -> str:
    """EER and TAR of x and the two heads, read off the drawn ROC."""
    curves, lines, more = pd.read_csv(figures / preset / "roc.csv"), [], []
    for name in ("x", "SN", "LNTL"):
        curve = curves[curves["representation"] == name]
        curve = curve.assign(far=np.linspace(0, 1, len(curve)))  # a row for each false accept; the file rounds them
        rates = equal_error_rate(curve), tar_at_far(curve, 0.01), tar_at_far(curve)
        count, accepts = len(curve) - 1, (len(curve) - 1) // 1000
        more.append(100 * (curve["tar"].iloc[accepts + 1] - curve["tar"].iloc[accepts]))
        lines.append([printed_name(name), *(f"{rate:.1f}" for rate in rates)])
    table = grid(["%", "EER", "TAR at FAR 1 %", "TAR at FAR 0.1 %"], lines)
    rough = f"{accepts} of {count:,} pairs of two people: one more would raise a TAR by up to {max(more):.1f} points"
    return f"{table}\n\nA FAR of 0.1 % is at most {rough}."


def limits(preset: str, figures: Path) -> str:
    """In how many splits the chosen heads stay within the budget of validation people's identity; their rounds."""
    budget, words, rounds = get_preset(preset).id_budget, [], 0
    for method, name in (("sensitivenets", "SN"), ("lntl", "LNTL")):
        looks = pd.read_csv(figures / preset / f"training_{method}.csv").rename(columns={"emotion": "attribute"})
        looks = looks[looks["y"] == "identity"] if "y" in looks else looks
        chosen = choose(looks.to_dict("records"), budget).query("chosen")
        within = int((chosen["diff"] <= budget).sum())
        words.append(f"φ_{name}'s is within that in {within} of {len(chosen)} splits")
        rounds = max(rounds, looks["round"].max())
    first = f"A chosen head may cost validation people {budget:g} % of verification above chance."
    return f"{first} {', '.join(words)}; no λ was trained for more than {rounds} rounds."


def badges(name: str, figures: Path) -> str:
    """Badges that lead to the address of the repository in pyproject.toml, or within it where none is stated."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    address = project.get("urls", {}).get("Repository", "").rstrip("/")
    there = "/".join(address.split("/")[-2:])
    ci = f"{address or '../..'}/actions/workflows/ci.yml"
    binder = f"https://mybinder.org/v2/gh/{there}/HEAD?urlpath=lab/tree/notebooks"
    colab = f"https://colab.research.google.com/github/{there}/blob/HEAD/.binder/colab.ipynb"
    within = "docs/running.md#in-a-browser"
    return "\n".join(
        f"[![{words}]({image})]({target})"
        for words, image, target in (
            ("CI", f"{ci}/badge.svg", ci),
            ("Binder", "https://mybinder.org/badge_logo.svg", binder if address else within),
            ("Colab", "https://colab.research.google.com/assets/colab-badge.svg", colab if address else within),
            ("MIT licence", "https://img.shields.io/badge/licence-MIT-blue.svg", "LICENSE"),
        )
    )


def grid(head: list[str], lines: list[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join(f"|{'|'.join(row)}|" for row in [head, ["---"] * len(head), *lines])


MAKERS = (
    *(num, curve, minutes, faces, times, finding, scorecard, verdicts, judged, advice, published, settled),
    *(attackers, errors, limits, badges),
)
MADE = {make.__name__: make for make in MAKERS}


def main(check: bool) -> int:
    """Write the pages that change, or with `check` only name them; the exit code."""
    changed = []
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        if (new := filled(text)) != text:
            changed.append(page)
            if not check:
                write_text(ROOT / page, new)
    print(f"{', '.join(changed) or 'nothing'} {'would change' if check else 'written'}")
    return int(check and bool(changed))


if __name__ == "__main__":
    with one_line_when_interrupted(), foreseen_in_one_line():
        sys.exit(main("--check" in sys.argv))
