"""What would it answer? Emulators of numeric outputs: scikit-learn regressors that tell a standard deviation too."""
