"""A core that installs lightly: the estimators run where nothing but the core's dependencies can be imported."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

from packaging.requirements import Requirement

from blindlib.common.files import ROOT

SCRIPT = """
import sys
from importlib.machinery import PathFinder

class OnlyTheCore(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {blocked!r} else super().find_spec(name, path, target)

sys.meta_path = [OnlyTheCore if finder is PathFinder else finder for finder in sys.meta_path]
import numpy as np
from blindlib import LEACE, LNTL, SensitiveNets
from blindlib.settings import LNTLSettings, SensitiveNetsSettings

rng = np.random.default_rng(0)
who = np.repeat(np.arange(20), 4)
y = np.tile(["happiness", "neutral"], 40)
X = rng.normal(size=(20, 8))[who] + 0.3 * rng.normal(size=(80, 8))
short = dict(rounds=1, head_steps=2, hidden=4)
settings = SensitiveNetsSettings(**short), LNTLSettings(**short)
for blinder in (SensitiveNets(settings=settings[0]), LNTL(settings=settings[1]), LEACE()):
    blinder.fit(X, y, identity=who).save(f"{{sys.argv[1]}}/{{blinder.name}}.v1")
    again = type(blinder).load(f"{{sys.argv[1]}}/{{blinder.name}}.v1").transform(X)
    assert (again == blinder.transform(X)).all() and again.shape == X.shape
from blindlib import audit
x = rng.normal(size=(120, 8))[np.repeat(np.arange(120), 2)] + 0.3 * rng.normal(size=(240, 8))
labels = {{"side": np.tile(["a", "b"], 120)}}
report = audit(x, identity=np.repeat(np.arange(120), 2), labels=labels, attackers=("linear",), progress=False)
page = report.save(f"{{sys.argv[1]}}/audit") / "report.html"
assert "<table" in page.read_text() and "<img" not in page.read_text()
print("ran", len(sys.modules))
"""


def core() -> set[str]:
    """Normalised names of the distributions that `pip install .` brings."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    waiting, found = [Requirement(text) for text in project["dependencies"]], set()
    while waiting:
        name = normal(waiting.pop().name)
        if name not in found:
            found.add(name)
            try:
                needs = [Requirement(text) for text in requires(name) or []]
            except PackageNotFoundError:  # of another platform
                continue
            waiting += [need for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_estimators_run_where_only_the_core_is_installed(tmp_path):
    inside = core()
    blocked = {top for top, names in packages_distributions().items() if not {normal(n) for n in names} & inside}
    blocked = (blocked | {"dlib"}) - {"blindlib", "_distutils_hack"}  # dlib-bin does not say what it installs
    assert {"pandera", "typer", "papermill", "torchvision", "h5py", "pooch", "seaborn"} <= blocked
    assert not {"torch", "sklearn", "numpy", "safetensors", "concept_erasure", "pandas", "pydantic"} & blocked
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(blocked=blocked), str(tmp_path)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("ran")


def test_the_core_names_ranges_and_no_single_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {normal(Requirement(text).name) for text in project["dependencies"]} >= {
        "numpy",
        "scikit-learn",
        "torch",
        "safetensors",
        "concept-erasure",
    }
    lists = (project["dependencies"], *project["optional-dependencies"].values())
    for text in (text for texts in lists for text in texts):
        assert not any(part.operator == "==" for part in Requirement(text).specifier), text
    assert {"audit", "notebooks", "photos", "dev"} <= set(project["optional-dependencies"])
