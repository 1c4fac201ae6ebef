"""Where pieces of work and groups of processes run; a folder of plug-ins, one engine a file."""
