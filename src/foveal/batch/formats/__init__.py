"""How rows are stored: a folder of plug-ins, one format a file.

`formats/jsonl.py` defines `jsonl`, a `RowFormat` (`_format.py`). Its name is the suffix of its files.
"""
