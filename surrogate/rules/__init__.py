"""Why, readably? Students that are read: trees, m-of-n trees, rule lists; how true they are and how long."""
