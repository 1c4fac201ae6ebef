"""What can be wrong with a data set, one kind per file: `kind(dataset, inventory, split) -> findings`.

A check reads no picture and changes nothing; what scenes state, it gets from `data.annotated`. An error
stops training, a warning stops it under `--strict`, an info is only told. Messages say what happened
and what it means, hints what to do. `split` is None where no roles were given yet.
"""
