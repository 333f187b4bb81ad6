"""MaixForge: labelled pictures go in, a model that runs on a Kendryte K210 comes out."""

__version__ = "0.1.0"
