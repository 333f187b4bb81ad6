"""How long things take, measured on this computer."""
