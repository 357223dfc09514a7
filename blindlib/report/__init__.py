"""Result rows -> `tables`, `claims` and their figures (`plots`), beside the published numbers (`paper`)."""
