"""Tell me: one self-contained HTML page from runs, emulators and boxes."""
