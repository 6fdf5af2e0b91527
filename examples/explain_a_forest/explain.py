"""Why does the forest say so? A random forest on 200 patients, told in a few rules, with a report.

    python examples/explain_a_forest/explain.py

Writes report.html, explain_a_forest.png, rules.py and rules.sql into the folder `out` beside itself, or into the one
that is named.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

import surrogate as sg
from surrogate.plots.transfer import plot_confusion, plot_fidelity_curve

HERE = Path(__file__).parent


def main(folder: Path) -> None:
    data = load_breast_cancer(as_frame=True)
    X, y = data.data, np.asarray(data.target_names)[data.target]
    rows = np.random.default_rng(1).permutation(len(X))
    train, test = rows[:200], rows[200:]

    # Data 1 -> forest -> 10,000 points, labelled by it -> tree of at most 8 leaves. Which points is found out.
    chain = sg.Metamorphosis(
        RandomForestClassifier(300, random_state=0),
        sg.AutoGenerator(),
        DecisionTreeClassifier(max_leaf_nodes=8, random_state=0),
        rng=0,
    ).fit(X.iloc[train], y[train])
    direct = DecisionTreeClassifier(max_leaf_nodes=8, random_state=0).fit(X.iloc[train], y[train])
    print(f"forest                    accuracy {chain.teacher_.score(X.iloc[test], y[test]):.3f}")
    for name, tree in (("tree taught by the forest", chain), ("tree on the 200 patients ", direct)):
        truth = sg.fidelity(chain.teacher_, tree, X.iloc[test])
        print(f"{name} accuracy {tree.score(X.iloc[test], y[test]):.3f}, fidelity {truth:.3f}")
    print(f"\n{chain.generator_.reason_}\n")

    rules = sg.extract_rules(chain).simplify(chain.transfer_set_.X)
    print(rules.to_text(digits=3))
    summary = sg.summarise_student(chain, X.iloc[test], y[test])
    folder.mkdir(parents=True, exist_ok=True)
    sg.report(folder / "report.html", student=summary, title="What the forest knows of 200 biopsies")
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.8), layout="constrained")
    plot_fidelity_curve(summary.curve, int(summary.quality["n_rules"]), left)
    left.set_title("Trees of other sizes, taught with the same points", fontsize=10)
    plot_confusion(summary.confusion, right)
    right.set_title("Patients that neither had seen", fontsize=10)
    figure.savefig(folder / "explain_a_forest.png", dpi=110)
    (folder / "rules.py").write_text(rules.to_python() + "\n")
    (folder / "rules.sql").write_text(rules.to_sql() + "\n")

    # Tests of the kind "at least m of these n", with questions to the forest about points of the tree's own.
    trepan = sg.Trepan(max_nodes=3).fit(
        X.iloc[train], chain.teacher_.predict(X.iloc[train]), oracle=chain.teacher_.predict
    )
    print(f"\nTrepan, {trepan.n_queries_} questions, fidelity {sg.fidelity(chain.teacher_, trepan, X.iloc[test]):.3f}:")
    print(trepan.to_rules().simplify(X.iloc[train]).to_text(digits=3))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "out")
