"""Labelled pictures: receive them safely, read them, check them, split them, bring them to size."""
