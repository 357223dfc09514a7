"""Formulas as MathML, written at build by docutils: the browser draws them with no script and no font of ours."""

import xml.etree.ElementTree as ET

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

_SPACE = "{http://www.w3.org/1998/Math/MathML}"


def mathml(tex: str, *, block: bool) -> str:
    """A formula's `<math>` element, mended where docutils differs from TeX.

    A word under a brace stands below it, no index beside it; the brace is a line, for not every browser stretches one.
    The bars of a norm belong to what they enclose and are of one size.
    """
    ET.register_namespace("", _SPACE[1:-1])
    root = ET.fromstring(tex2mathml(tex, as_block=block).replace("&ApplyFunction;", "\u2061"))
    for index in root.iter(f"{_SPACE}msub"):
        braced = index[0]
        if braced.tag == f"{_SPACE}munder" and braced[-1].text == "⏟":
            index.tag, braced.tag = braced.tag, f"{_SPACE}mrow"
            braced.set("class", "underbrace")
            braced.remove(braced[-1])
    for bar in root.iter(f"{_SPACE}mo"):
        if bar.text in ("|", "‖"):
            bar.attrib.update(stretchy="false", form="prefix" if bar.get("class") == "mathopen" else "postfix")
    return ET.tostring(root, encoding="unicode")


def _inline(self, node: nodes.math) -> None:
    self.body.append(mathml(node.astext(), block=False))
    raise nodes.SkipNode


def _block(self, node: nodes.math_block) -> None:
    box = '<div class="formula" tabindex="0" role="group" aria-label="formula">'  # it scrolls, by keys as well
    self.body.append(f"{box}{mathml(node.astext(), block=True)}</div>")
    raise nodes.SkipNode


def setup(app) -> dict:
    """Register the renderer `mathml`."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True}
