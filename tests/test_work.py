"""How work is spread: the same bytes by threads and by other processes, and a scheduler that is not there is named."""

import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_ladder import CODES, WHO, split_of, world

from blindlib.common.errors import InputError
from blindlib.common.work import spread
from blindlib.evaluate import ladder
from blindlib.evaluate.probes import Task, run_probes


def where(item):
    return os.getpid(), item**2


def test_by_itself_it_uses_threads_and_with_a_scheduler_other_processes(monkeypatch):
    monkeypatch.delenv("BLINDLIB_SCHEDULER", raising=False)
    assert spread(where, [1, 2, 3]) == [(os.getpid(), 1), (os.getpid(), 4), (os.getpid(), 9)]
    monkeypatch.setenv("BLINDLIB_SCHEDULER", "loky")
    processes, values = zip(*spread(where, [1, 2, 3]), strict=True)
    assert values == (1, 4, 9) and os.getpid() not in processes


def test_two_local_workers_give_the_bytes_of_threads(monkeypatch):
    split, settings = split_of((20, 10**6))
    settings = replace(settings, ladder=("linear", "SVM"), nn_hidden=(8,), nn_epochs=20, rf_trees=10)
    task, x = Task("emotion", CODES, ["a", "b"]), world("mean")

    def rows():
        climbed = ladder.climb(x, task, [split], settings, WHO)
        return pd.DataFrame(climbed + run_probes(x, task, [split], settings, identity=WHO, protocols="B"))

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
