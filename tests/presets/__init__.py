"""Models whose rows are partly everybody's."""
