"""What the pages take from a run's CSVs: the scorecard, the tables, every row with an anchor, and single numbers."""

import json
import re
from pathlib import Path

import pandas as pd
from docutils import nodes
from sphinx.util.docutils import SphinxDirective, SphinxRole

from blindlib.report import tables
from blindlib.report.names import meanings, printed_name

SHOWN_ROWS = 150  # a longer CSV is offered as a file alone


def read(env, name: str) -> pd.DataFrame:
    """The run's `name`.csv; the page that asks is built again when the file changes."""
    path = Path(env.srcdir) / "figures" / env.config.preset / f"{name}.csv"
    env.note_dependency(str(path))
    return pd.read_csv(path)


def find(table: pd.DataFrame, keys: list[str]) -> int:
    """The one row in which each key stands: a text in any column, or `column=value`. Raises KeyError if not one."""
    texts = table.select_dtypes(exclude="number")
    fits = pd.Series(True, table.index)
    for key in keys:
        column, equals, value = key.partition("=")
        if equals and column in table:
            fits &= table[column] == type(table[column].iloc[0])(value)
        else:
            fits &= (texts == key).any(axis=1)
    if fits.sum() != 1:
        raise KeyError(f"{fits.sum()} rows with {', '.join(keys)}")
    return int(fits.idxmax())


def number(table: pd.DataFrame, row: int, columns: str) -> str:
    """`mean`, or `mean ± half_width`, of a row, with one decimal; whole numbers with commas, words as they stand."""
    values = [table.at[row, column.strip()] for column in columns.split("±")]
    if pd.isna(values[0]):
        return "no data"
    texts = (v if isinstance(v, str) else f"{v:,}" if pd.api.types.is_integer(v) else f"{v:.1f}" for v in values)
    return " ± ".join(texts)


def place(evidence: str) -> str:
    """The anchor of a table's cell, from the words of the claims: `Table 1, Emotion (NN), Diff SN`.

    Table 2's rows are of biased training where they say nothing else.
    """
    return nodes.make_id(re.sub(r"^(Table 2, (?![^,]*biased,)[^,]+),", r"\1 biased,", evidence))


def row_id(name: str, row: int) -> str:
    """The anchor of a CSV's row; rows count from 1, below the header."""
    return f"{name.replace('_', '-')}-row-{row + 1}"


def cell_that_writes(env, name: str) -> tuple[str, int]:
    """The notebook (its page) and the number of the cell that saves `name`."""
    for path in sorted(Path(env.srcdir, "notebooks").glob("*.ipynb")):
        for n, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
            code = "".join(cell["source"])
            if cell["cell_type"] == "code" and re.search(rf'save_table\([^)]*"{name}"', code, re.S):
                return f"notebooks/{path.stem}", n
    raise KeyError(f"no cell of a notebook saves {name}")


class Pages:
    """Links from the page that is being read."""

    def link(self, words: str, page: str, anchor: str, *classes: str) -> nodes.reference:
        """A link to an anchor of a page."""
        uri = self.env.app.builder.get_relative_uri(self.env.docname, page)
        return nodes.reference("", words, refuri=f"{uri}#{anchor}", internal=True, classes=list(classes))

    def row_link(self, words: str, name: str, row: int) -> nodes.reference:
        """A link to a CSV's row."""
        return self.link(words, "rows", row_id(name, row), "num")


class Num(SphinxRole, Pages):
    """{num}`table1; Emotion (NN), SN, B; mean ± half_width`: that number, linked to its row."""

    def run(self):
        """The number; a warning where it is not there."""
        try:
            name, keys, columns = re.split(r"\s*;\s*", self.text)
            table = read(self.env, name)
            row = find(table, re.split(r",\s*", keys))
            return [self.row_link(number(table, row, columns), name, row)], []
        except (KeyError, ValueError, OSError) as error:
            message = self.inliner.reporter.warning(f"{self.text}: {error}", line=self.lineno)
            return [nodes.literal("", self.text)], [message]


def grid(head: list[str], lines: list[list], *classes: str) -> nodes.table:
    """A table of texts or nodes; a line is a pair of its anchor, or None, and its cells (with `ids`, where a pair)."""
    table, group = nodes.table(classes=list(classes)), nodes.tgroup(cols=len(head))
    table += group
    group += [nodes.colspec(colwidth=1) for _ in head]
    top, body = nodes.thead(), nodes.tbody()
    group += [top, body]
    for parent, (anchor, cells) in [(top, (None, head)), *((body, line) for line in lines)]:
        row = nodes.row(ids=[anchor] if anchor else [])
        parent += row
        for cell in cells:
            content, ids = cell if isinstance(cell, tuple) else (cell, [])
            parts = content if isinstance(content, list) else [content]
            entry, text = nodes.entry(ids=ids), nodes.paragraph()
            text += [nodes.Text(part) if isinstance(part, str) else part for part in parts]
            entry += text
            row += entry
    return table


class Scorecard(SphinxDirective, Pages):
    """The claims: verdict, and the cells of the tables, of the notebooks and the rows that they stand on."""

    def run(self):
        """The table."""
        verdicts = read(self.env, "claims")
        card, lines = tables_of_claims(verdicts), []
        for n, line in enumerate(card.to_dict("records")):
            row, where = verdicts.loc[n], []
            cells = [row["evidence"], *([row["strongest_evidence"]] if line[_STRONGEST] else [])]
            for evidence in dict.fromkeys(e for cell in cells for e in cell.partition(";")[0].split(" against ")):
                if evidence.startswith("Table"):
                    page, cell = cell_that_writes(self.env, f"table{evidence[6]}")
                    made = self.link(f"notebook {page[10:12]}", page, f"cell-{cell}")
                    where += [self.link(evidence, "tables", place(evidence)), " (", made, "), "]
            page, cell = cell_that_writes(self.env, "claims")
            judged = self.link(f"judged in notebook {page[10:12]}", page, f"cell-{cell}")
            where += [judged, ", ", self.row_link("CSV row", "claims", n)]
            told = [line[name] for name in (_MEASURED, _STRONGEST)]
            told = [nodes.inline("", text, classes=["verdict", nodes.make_id(text.partition(":")[0])]) for text in told]
            lines.append((f"claim-{row['id'].lower()}", [row["id"], row["claim"], row["rule"], *told, where]))
        head = ["", "The paper claims", "Holds when", _MEASURED, _STRONGEST, "Stands on"]
        return [grid(head, lines, "scorecard")]


_MEASURED, _STRONGEST = "By the paper's measures [95 % interval]", "Against the strongest attacker"


def tables_of_claims(verdicts: pd.DataFrame) -> pd.DataFrame:
    """The scorecard in words."""
    from blindlib.report.claims import scorecard

    return scorecard(verdicts)


def kept_names(table: pd.DataFrame) -> dict[str, str]:
    """A representation's name in a CSV, by the name that is printed."""
    return {printed_name(name): name for name in table["representation"].unique()}


class PaperTable(SphinxDirective, Pages):
    """Table 1 or 2 as the paper lays it out; every cell has an anchor and leads to its row of the CSV.

    Below Table 1 stands what each representation is.
    """

    required_arguments = 1

    def run(self):
        """The table."""
        name = self.arguments[0]
        table = read(self.env, name)
        key = nodes.definition_list()
        for shown, words in meanings(table["representation"]).items():
            entry = nodes.definition("", nodes.paragraph(text=f"{words}."))
            key += nodes.definition_list_item("", nodes.term(text=shown), entry)
        return [(self._first if name == "table1" else self._second)(table), *([key] if name == "table1" else [])]

    def _first(self, table: pd.DataFrame) -> nodes.table:
        shown, lines = tables.readable(table), []
        for line in shown.to_dict("records"):
            cells = []
            for title, text in line.items():
                own = kept_names(table)
                diff, name = title.startswith("Diff "), own.get(title.removeprefix("Diff "), "")
                inner = text
                if name and text and (table["domain"] == line["Domain"]).any():  # the last lines are of no one row
                    inner = self.row_link(text, "table1", find(table, [line["Domain"], name, "B"]))
                column = f"Diff {name}" if diff else name or title
                cells.append((inner, [place(f"Table 1, {line['Domain']}, {column}")]))
            lines.append((None, cells))
        return grid(list(shown), lines, "paper")

    def _second(self, table: pd.DataFrame) -> nodes.table:
        shown, lines = tables.readable2(table), []
        for n, line in enumerate(shown.to_dict("records")):
            who, cells = f"Table 2, {kept_names(table)[line['Representation']]}", []
            for title, text in line.items():
                ids = [place(f"{who} {line['Training']}, {title}")]
                cells.append((self.row_link(text, "table2", n) if title in tables.MEASURES.values() else text, ids))
            lines.append((None, cells))
        return grid(list(shown), lines, "paper")


class CsvRows(SphinxDirective):
    """Every CSV of the run: a file to take, and its rows with anchors where they are few."""

    def run(self):
        """A section each."""
        found = []
        for path in sorted(Path(self.env.srcdir, "figures", self.config.preset).glob("*.csv")):
            table = read(self.env, path.stem)
            section = nodes.section(ids=[path.stem.replace("_", "-")], names=[path.stem])
            section += nodes.title("", path.name)
            labels = self.env.domains.standard_domain
            labels.note_hyperlink_target(f"csv-{path.stem}", self.env.docname, section["ids"][0], path.name)
            file = self.parse_inline(f"{{download}}`{path.name} <figures/{self.config.preset}/{path.name}>`")[0]
            section += nodes.paragraph("", "", *file, nodes.Text(f", {len(table):,} rows"))
            if len(table) <= SHOWN_ROWS:
                words = pd.read_csv(path, dtype=str, keep_default_na=False)
                lines = [(row_id(path.stem, n), [str(n + 1), *row]) for n, row in enumerate(words.to_numpy().tolist())]
                section += grid(["row", *words.columns], lines, "csv")
            found.append(section)
        return found


def _cells(app, tree) -> None:
    for node in tree.findall(nodes.container):
        if "cell_index" in node:
            node["ids"].append(f"cell-{node['cell_index']}")


def setup(app) -> dict:
    """Register role and directives, and give the notebooks' cells their anchors."""
    app.add_config_value("preset", "demo", "env", str)
    app.add_role("num", Num())
    app.add_directive("scorecard", Scorecard)
    app.add_directive("paper-table", PaperTable)
    app.add_directive("csv-rows", CsvRows)
    app.connect("doctree-read", _cells)
    return {"parallel_read_safe": True}
