"""The files that pictures come in, read as far as their pixels, without decoding any.

What their author wrote into them decides how long a reader takes and how much it keeps: thousands of tiny pieces, texts
that swell, directories that lead to one place. So each kind is walked here, by rules, and what a decoder is handed is a
file anew, with those pieces alone that pixels are decoded from; see decision 22.
"""
