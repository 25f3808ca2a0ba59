"""The slow way: jobs, taken in, followed and handed out. Workers paint them, in processes of their own."""
