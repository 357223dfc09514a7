"""Provide what every package uses: errors in one line, atomic files, parallel work."""
