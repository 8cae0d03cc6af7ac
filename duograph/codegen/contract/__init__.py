"""Contractions: matrix products and convolutions in all their directions, from one register tile."""
