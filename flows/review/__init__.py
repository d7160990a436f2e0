"""The review desk: what waits for a person (`desk`), what a person decides (`decisions`), and both as sheets (`sheets`)."""
