"""Torch's scheduler classes, with a curve and a writer in place of their recurrences."""
