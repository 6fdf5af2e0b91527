"""Prediction by a Gaussian process in plain NumPy: the source that is exported. ARRAYS and FACTS are put before it."""

# mypy: ignore-errors
# ruff: noqa: F821

import numpy as np


def predict(X, return_std=False):
    """Mean, and standard deviation if asked for, of the output at points.

    X is a table of shape (m, d), or a mapping from input names to columns, in the inputs' own units.
    """
    columns = _columns(X)
    blocks = [columns[i : i + 1000] for i in range(0, len(columns), 1000)] or [columns]
    parts = [_predict((block - ARRAYS["low"]) / ARRAYS["width"]) for block in blocks]
    mean = np.concatenate([part[0] for part in parts])
    return (mean, np.concatenate([part[1] for part in parts])) if return_std else mean


def _columns(X):
    inputs = FACTS["inputs"]
    if isinstance(X, dict) or hasattr(X, "columns"):
        table = [X[entry["name"]] for entry in inputs]
    else:
        table = list(zip(*X))
    if len(table) != len(inputs):
        raise ValueError(f"X must have {len(inputs)} columns, got {len(table)}")
    out = []
    for entry, values in zip(inputs, table):
        if "values" in entry:
            codes = np.array([entry["values"].index(value) for value in values])
            if entry["kind"] == "ordinal":
                out.append((codes + 0.5) / len(entry["values"]))
            else:
                wanted = range(len(entry["values"])) if len(entry["values"]) > 2 else (1,)
                out += [(codes == code).astype(float) for code in wanted]
            continue
        x = np.asarray(values, dtype=float)
        if entry["log"]:
            x = np.log(x)
        out.append((x - entry["low"]) / (entry["high"] - entry["low"]))
    return np.column_stack(out)


def _predict(z):
    a = ARRAYS
    centred = 2.0 * z - 1.0
    basis = np.column_stack([np.prod(centred[:, term], axis=1) for term in FACTS["terms"]])
    cross, slopes = 1.0, []
    distances = [a["rates"][k] * np.abs(z[:, k, None] - a["z"][None, :, k]) for k in range(z.shape[1])]
    if FACTS["family"] == "radial_matern52":
        r = np.maximum(np.sqrt(sum(one**2 for one in distances)), 1e-150)
        cross, decay = _correlation(r)
        slopes = [(decay * one**2 / r**2, None) for one in distances]
        distances = []
    for k, r in enumerate(distances):
        one, decay = _correlation(r)
        floor = a["floors"][k]
        factor = floor + (1.0 - floor) * one
        cross = cross * factor
        slopes.append(((1.0 - floor) * one * decay / factor, floor * (1.0 - floor) * (1.0 - one) / factor))
    mean = basis @ a["coefficients"] + cross @ a["weights"]
    white = cross @ a["inverse_lower"].T
    unknown = (basis - white @ a["whitened_basis"]) @ a["inverse_information"].T
    relative = 1.0 - np.sum(white**2, axis=1) + np.sum(unknown**2, axis=1)
    variance = FACTS["variance"] * np.maximum(relative, FACTS["nugget"])
    if "theta_covariance" in a:
        weighted = cross * a["weights"]
        by_theta = cross @ a["weight_slopes"] + basis @ a["coefficient_slopes"]
        for k, (by_scale, by_floor) in enumerate(slopes):
            by_theta[:, k] += np.sum(weighted * by_scale, axis=1)
            if FACTS["has_floors"]:
                by_theta[:, len(slopes) + k] += np.sum(weighted * by_floor, axis=1)
        variance = variance + np.sum((by_theta @ a["theta_covariance"]) * by_theta, axis=1)
    return _moments(mean, FACTS["inflation"] ** 2 * variance)


def _correlation(r):
    """Correlations at scaled distances, and minus their logarithms' derivatives by the logarithm of distance."""
    family = FACTS["family"]
    if family == "matern32":
        return (1 + r) * np.exp(-r), r**2 / (1 + r)
    if family in ("matern52", "radial_matern52"):
        return (1 + r + r**2 / 3) * np.exp(-r), r**2 * (1 + r) / (3 + 3 * r + r**2)
    if family == "matern72":
        value = (1 + r + 0.4 * r**2 + r**3 / 15) * np.exp(-r)
        return value, r**2 * (3 + 3 * r + r**2) / (15 + 15 * r + 6 * r**2 + r**3)
    if family == "squared_exponential":
        return np.exp(-0.5 * r**2), r**2
    return (1 + 0.25 * r**2) ** -2.0, r**2 / (1 + 0.25 * r**2)


def _moments(mean, variance):
    f = FACTS
    m, v = f["centre"] + f["scale"] * mean, f["scale"] ** 2 * variance
    if f["warp"] == "log":
        v = np.minimum(v, f["max_log_std"] ** 2)
        middle = f["unit"] * np.exp(np.minimum(m + 0.5 * v, 700.0))
        return middle, middle * np.sqrt(np.expm1(v))
    if f["warp"] == "sqrt":
        return f["unit"] * (m**2 + v), f["unit"] * np.sqrt(4.0 * m**2 * v + 2.0 * v**2)
    return f["origin"] + f["unit"] * m, f["unit"] * np.sqrt(v)
