"""How work is spread: the same bytes by threads and by other processes, and a scheduler that is not there is named."""

import os

import numpy as np
import pandas as pd
import pytest
from test_probe_suite import TASK, WHO, split_of, world

from blindlib.appendix.probe_suite import ALL, run_suite
from blindlib.blinders import Representation
from blindlib.common.errors import InputError
from blindlib.common.work import spread
from blindlib.evaluate.probes import run_probes
from blindlib.settings import ProbeSettings


def where(item):
    return os.getpid(), item**2


def test_by_itself_it_uses_threads_and_with_a_scheduler_other_processes(monkeypatch):
    monkeypatch.delenv("BLINDLIB_SCHEDULER", raising=False)
    assert spread(where, [1, 2, 3]) == [(os.getpid(), 1), (os.getpid(), 4), (os.getpid(), 9)]
    monkeypatch.setenv("BLINDLIB_SCHEDULER", "loky")
    processes, values = zip(*spread(where, [1, 2, 3]), strict=True)
    assert values == (1, 4, 9) and os.getpid() not in processes


def test_two_local_workers_give_the_bytes_of_threads(monkeypatch):
    split, x = split_of(), Representation.of("x", world("mean"))
    settings = ProbeSettings(nn_hidden=(8,), nn_steps=20, rf_trees=10)

    def rows():
        suite = run_suite(x, TASK, [split], WHO, kinds=("linear", "SVM"), subjects=(20, ALL))
        probes = (("NN", "standardised"), ("RF", "standardised"))
        return pd.DataFrame(suite + run_probes(x, TASK, [split], settings, identity=WHO, probes=probes))

    monkeypatch.delenv("BLINDLIB_SCHEDULER", raising=False)
    threads = rows()
    monkeypatch.setenv("BLINDLIB_SCHEDULER", "loky")
    pd.testing.assert_frame_equal(threads, rows(), check_exact=True)
    assert np.ptp(threads["balanced_accuracy"]) > 1


@pytest.mark.parametrize("name", ["abacus", "tcp://127.0.0.1:9", "multiprocessing", "threading", "sequential"])
def test_a_scheduler_that_does_not_answer_is_refused_in_one_line(monkeypatch, name):
    monkeypatch.setenv("BLINDLIB_SCHEDULER", name)
    with pytest.raises(InputError, match="use loky, ray or"):
        spread(where, [1])
