"""Report result rows as `tables`, `claims` and figures (`plots`), beside the published numbers (`paper`)."""
