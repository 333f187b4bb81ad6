"""Sample pictures that a script renders from nothing: no photograph, no download, no rights."""
