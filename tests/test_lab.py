"""A reader's way: the notebooks in a real JupyterLab, in a browser, *Run All*."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests
from conftest import alive, environment, left_after

from blindlib.common.files import ROOT

chromium = pytest.importorskip("chromium", reason="websocket-client is not installed: pip install '.[dev]'")
SECONDS = 240  # for all of it


@contextmanager
def jupyterlab(folder: Path):
    """A JupyterLab of `folder`/notebooks that only this machine reaches, its files in `folder` too; gives its URL."""
    own = {name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    own |= {"JUPYTER_RUNTIME_DIR": str(folder / "runtime"), "HOME": str(folder), "JUPYTERLAB_SETTINGS_DIR": str(folder)}
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    options = ["--no-browser", "--allow-root", "--expose-app-in-browser", "--ip=127.0.0.1", "--port=0"]
    options += ["--IdentityProvider.token=", f"--ServerApp.root_dir={folder / 'notebooks'}"]
    options += ["--LabApp.extension_manager=readonly"]
    options += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with (folder / "lab.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyter", "lab", *options],
            env={**environment(folder), **own, "PYTHONPATH": path},
            stdout=log,
            stderr=log,
        )
        try:
            while not (found := list((folder / "runtime").glob("jpserver-*.json"))):
                assert server.poll() is None, (folder / "lab.log").read_text()
                time.sleep(0.2)
            yield json.loads(found[0].read_text())["url"]
        finally:
            server.terminate()  # it ends its kernels
            server.wait(60)


CELLS = """jupyterapp.shell.currentWidget.context.model.toJSON().cells"""
READY = """(() => { const panel = window.jupyterapp?.shell?.currentWidget;
  return Boolean(panel?.context?.isReady && panel.sessionContext?.session?.kernel?.status === 'idle'); })()"""
RUN_ALL = "void jupyterapp.commands.execute('notebook:run-all-cells')"
SHOW = """(() => { const book = jupyterapp.shell.currentWidget.content;
  book.activeCellIndex = {place}; void book.scrollToItem({place}, 'center'); })()"""
ROWS = """[...jupyterapp.shell.currentWidget.content.widgets[{place}].node.querySelectorAll(
  '.jp-RenderedHTMLCommon table tbody tr')].map(row => row.innerText)"""


def wait_for(page, expression: str, good, until: float):
    """The value of an expression once it is good."""
    while not good(value := page.ask(expression)):
        assert time.monotonic() < until, f"{SECONDS} s have passed: {str(value)[-500:]}"
        time.sleep(0.5)
    return value


def failed(cells: list[dict]) -> list[str]:
    """What the cells' errors say."""
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    return [f"{o['ename']}: {o['evalue']}" for o in outputs if o["output_type"] == "error"]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.browser
def test_run_all_in_jupyterlab_shows_table_1_and_no_cell_fails(undisturbed, tmp_path):
    if chromium.PROGRAM is None:
        pytest.skip("no Chromium here (Debian: apt install chromium)")
    until = time.monotonic() + SECONDS
    shutil.copytree(undisturbed / "build", tmp_path / "build")
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    book = tmp_path / "notebooks" / "05_probes.ipynb"
    text, times = re.subn(r'PRESET = \\"\w+\\"', r'PRESET = \\"smoke\\"', book.read_text(encoding="utf-8"))
    assert times == 1
    book.write_text(text, encoding="utf-8")
    with jupyterlab(tmp_path) as address, chromium.chromium(tmp_path / "profile") as page:
        page.open(f"{address}lab/tree/05_probes.ipynb")
        wait_for(page, READY, bool, until)
        page.ask(RUN_ALL)

        def over(cells: list[dict]) -> bool:
            done = all(cell["execution_count"] for cell in cells if cell["cell_type"] == "code")
            return done or bool(failed(cells))

        cells = wait_for(page, CELLS, over, until)
        assert not failed(cells)
        (place,) = (n for n, cell in enumerate(cells) if "tables.table1(" in "".join(cell["source"]))
        page.ask(SHOW.replace("{place}", str(place)))  # what is out of sight is not drawn
        rows = wait_for(page, ROWS.format(place=place), any, until)  # hidden text counts as none
    assert any("ID" in row.split() for row in rows) and any("Emotion" in row for row in rows), rows


def listening(process: psutil.Process) -> list[str]:
    return [each.laddr.ip for each in process.net_connections() if each.status == "LISTEN"]


@pytest.mark.slow
def test_make_lab_is_on_this_machine_alone_asks_for_a_token_and_its_kernels_talk_by_sockets(tmp_path):
    scratch = tempfile.mkdtemp(prefix="lab-", dir="/tmp")  # short: the path of a socket has at most 107 characters
    own = environment(tmp_path) | {"MARK": str(tmp_path), "TMPDIR": scratch}
    own |= {"JUPYTER_CONFIG_DIR": str(tmp_path), "HOME": str(tmp_path)}
    options = {"open_browser": False, "allow_root": True, "port": 0}
    (tmp_path / "jupyter_server_config.json").write_text(json.dumps({"ServerApp": options}))
    with (tmp_path / "log").open("w") as log:
        command = ["make", "lab", f"PY={sys.executable}"]
        make = subprocess.Popen(command, cwd=ROOT, env=own, stdout=log, stderr=log, start_new_session=True)
    try:
        until = time.monotonic() + 120
        while not (found := list(Path(own["TMPDIR"]).glob("*/jpserver-*.json"))):
            assert make.poll() is None and time.monotonic() < until, (tmp_path / "log").read_text()
            time.sleep(0.2)
        told = json.loads(found[0].read_text())
        assert requests.get(f"{told['url']}api/kernels", timeout=30).status_code == 403
        headers = {"Authorization": f"token {told['token']}"}
        assert requests.post(f"{told['url']}api/kernels", headers=headers, json={}, timeout=60).status_code == 201
        while len(list(found[0].parent.glob("kernel-*-ipc-*"))) < 5:
            assert time.monotonic() < until
            time.sleep(0.2)
        while len(children := psutil.Process(told["pid"]).children()) != 1:  # a server has short ones beside its kernel
            assert time.monotonic() < until, children
            time.sleep(0.2)
        (kernel,) = children
        assert listening(psutil.Process(told["pid"])) == ["127.0.0.1"]
        assert listening(kernel) in ([], ["127.0.0.1"]), "ipykernel's own, for the output of forked processes"
        os.killpg(make.pid, signal.SIGKILL)
        make.wait()
        assert left_after(str(tmp_path)) == []
    finally:
        for process in alive(str(tmp_path)):
            process.kill()
        shutil.rmtree(scratch, ignore_errors=True)
