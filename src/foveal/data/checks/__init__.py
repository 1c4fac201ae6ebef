"""What can be wrong with a data set, one kind per file: `kind(dataset, inventory, split) -> findings`.

A check reads no file and changes nothing. An error stops training, a warning stops it under `--strict`,
an info is only told. Messages say what happened and what it means, hints what to do. `split` is None where
no roles were given yet.
"""
