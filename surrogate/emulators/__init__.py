"""What would it answer? Emulators of numeric outputs, all scikit-learn regressors that also tell a standard deviation."""
