"""What every room uses: errors in one line, files that are whole, work on all cores."""
