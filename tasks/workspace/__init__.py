"""The workspace: where things lie, how rows are committed, how tables are read.

`layout` says where things lie, `manifest` and `snapshot` read the log, `writer` puts data files down, `commit` makes them
count, `views` reads tables through DuckDB, `merge` keeps the files few, `lock` lets one run in at a time.
"""
