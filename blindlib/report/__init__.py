"""Result rows -> tables, figures and verdicts beside the published numbers."""
