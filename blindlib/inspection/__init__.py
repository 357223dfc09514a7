"""Audit your own embeddings: what do they leak, what does hiding it cost, and by which method?

    import numpy as np
    from blindlib import audit

    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(200), 4)  # 200 subjects, 4 images of each
    emotion = np.tile(["happy", "neutral"], 400)
    x = rng.normal(size=(200, 32))[people] + 0.3 * rng.normal(size=(800, 32))
    x[:, 0] += 1.5 * (emotion == "happy")  # what leaks
    report = audit(x.astype("float32"), identity=people, labels={"emotion": emotion}, hide="emotion")
    print(report)  # what it found; report.save("audit") writes report.html, report.md, CSVs and the recommended head

From files: `blindlib audit embeddings.npz --hide emotion`, or `audit(**read("embeddings.npz"), hide="emotion")`. The
recommended head releases φ in 6 bits: `load_head("audit/head").transform(x)`.
"""

from blindlib.inspection.hide import load_head
from blindlib.inspection.reading import read
from blindlib.inspection.run import audit

__all__ = ["audit", "load_head", "read"]
