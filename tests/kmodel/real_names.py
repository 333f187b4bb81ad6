"""The kmodels that nncase 0.1 made, by the names of the fixture `real_kmodels`."""

REAL = ("face", "fruit", "mask", "mnist")
