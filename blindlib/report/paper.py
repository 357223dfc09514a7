"""Return the paper's two tables as its conference poster prints them, separate from our results."""

from io import StringIO

import pandas as pd

_TABLE1 = """domain,chance,x,SN,SN_diff,LNTL,LNTL_diff
ID,50.0,96.8,96.3,1,59.4,75
Gender,50.0,99.2,98.9,1,72.7,53.9
Ethnicity,33.333,98.8,98.6,1,67.4,47.9
Emotion (NN),16.667,88.1,59.6,40,41.6,65
Emotion (SVM),16.667,88.1,16.7,100,25,88.2
Emotion (RF),16.667,77.4,58.3,31,44.7,53.8
"""

_TABLE2 = """representation,training,acc,tpr_smiling,tpr_not_smiling,eq_opp
x,unbiased,77.26,84.55,82.47,2.08
x,biased,76.23,84.17,66.70,17.47
SN,biased,74.50,81.87,73.58,8.29
LNTL,biased,76.62,86.97,73.70,13.27
"""


def table2() -> pd.DataFrame:
    """Return Table 2 in percent by (`representation`, `training`): `acc`, `tpr_smiling`, `tpr_not_smiling`, `eq_opp`.

    Source: arXiv 2009.08704: attractiveness on CelebA, 40,000 training images.
    """
    return pd.read_csv(StringIO(_TABLE2), index_col=["representation", "training"])


def table1() -> pd.DataFrame:
    """Return Table 1 in percent, index `domain`: accuracies of `x`, `SN`, `LNTL`, and printed `SN_diff`, `LNTL_diff`.

    Source: arXiv 2009.08704. It has six emotions (chance 16.7) on CFEE, but LFW's labels here have two. So only Diff, a
    share of above-chance accuracy, is comparable.
    """
    return printed1().astype(float)


def printed1() -> pd.DataFrame:
    """Return Table 1 as text, each entry with its printed digits; see `table1`."""
    return pd.read_csv(StringIO(_TABLE1), index_col="domain", dtype=str)
