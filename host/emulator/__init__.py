"""Boards without a board: what lies on a card and what scripts do with it, proven on a PC."""
