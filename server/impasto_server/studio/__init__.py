"""The studio: a page for browsers, and the calls that it makes, over Connect."""
