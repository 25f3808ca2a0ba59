"""The studio's page, in Chromium, against real servers."""
