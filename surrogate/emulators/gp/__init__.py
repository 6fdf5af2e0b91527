"""Gaussian process regression: kernels, likelihood and the estimator."""
