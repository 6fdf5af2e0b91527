"""Models behind the reference implementation's server: `python reference_server.py PORT`."""

from __future__ import annotations

import sys

import umbridge


class Model(umbridge.Model):
    """Two input vectors, three outputs in two vectors; misbehaves where the configuration says so."""

    def get_input_sizes(self, config):
        return [2, 1]

    def get_output_sizes(self, config):
        return [1, config.get("length", 2)]

    def supports_evaluate(self):
        return True

    def __call__(self, parameters, config):
        (a, b), (c,) = parameters
        match config.get("mode", "ok"):
            case "raise":
                raise ValueError("the text that is lost")
            case "nan":
                return [[a], [float("nan"), float("-inf")]]
            case "length":
                return [[a], [b]]
        return [[a + 10 * b + 100 * c], [c] * config.get("length", 2)]


class Silent(umbridge.Model):
    """A model that can do nothing."""

    def get_input_sizes(self, config):
        return [1]

    def get_output_sizes(self, config):
        return [1]


if __name__ == "__main__":
    umbridge.serve_models([Model("mixed"), Silent("silent")], int(sys.argv[1]))
