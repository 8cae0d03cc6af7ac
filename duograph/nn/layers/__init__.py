"""The layers, by kind. They hold mathematics only; what they compute is in `duograph.functional`."""
