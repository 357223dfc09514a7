"""Audit your own embeddings: what they leak, what it costs to hide that, and by which method.

    import numpy as np
    from blindlib import audit

    rng = np.random.default_rng(0)
    subjects = np.repeat(np.arange(200), 4)  # 200 subjects, 4 images each
    emotion = np.tile(["happy", "neutral"], 400)
    x = rng.normal(size=(200, 32))[subjects] + 0.3 * rng.normal(size=(800, 32))
    x[:, 0] += 1.5 * (emotion == "happy")  # the leak
    report = audit(x, identity=subjects, labels={"emotion": emotion}, hide="emotion")
    print(report)  # report.save("audit") writes report.html, CSVs and the recommended head

From files: `blindlib audit embeddings.npz --hide emotion`, or `audit(**read("embeddings.npz"), hide="emotion")`. The
recommended head releases φ in 6 bits: `load_head("audit/head").transform(x)`.
"""

from blindlib.inspection.hide import load_head
from blindlib.inspection.reading import read
from blindlib.inspection.run import audit

__all__ = ["audit", "load_head", "read"]
